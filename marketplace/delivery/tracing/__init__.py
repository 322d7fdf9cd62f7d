"""Copies of a table that differ by grant, and telling by a leaked one whose it was. Pure."""
