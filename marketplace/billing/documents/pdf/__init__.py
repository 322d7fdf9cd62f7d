"""Documents as PDF on A4, with their Japanese font embedded; the same document always yields the same bytes."""
