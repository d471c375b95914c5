"""Reading and writing files safely: whole or not at all, regular files only, names that may be printed."""
