"""Reading, writing and colour of images."""
