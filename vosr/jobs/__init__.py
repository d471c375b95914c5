"""Many images: which files to restore, into which, in what order, and what became of each."""
