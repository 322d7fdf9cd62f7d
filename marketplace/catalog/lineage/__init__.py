"""Where datasets come from, what was made of them, and who says so."""
