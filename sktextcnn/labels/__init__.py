"""From labels in any usual form to a 0/1 matrix."""
