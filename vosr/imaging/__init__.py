"""Reading, writing and colour of pictures."""
