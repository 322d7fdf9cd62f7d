"""A witness: it signs that a log only grows, for whoever runs the log and for whoever does not trust them."""
