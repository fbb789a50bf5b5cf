"""Tables in files, row by row in either direction, of any size."""
