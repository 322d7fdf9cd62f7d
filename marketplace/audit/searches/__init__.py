"""Searches of the record that are kept under a name."""
