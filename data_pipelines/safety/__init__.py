"""What is checked of data that strangers may have made: names in lists, tar headers, answers of servers, checksums."""
