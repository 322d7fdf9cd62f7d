"""Repairs: what a machine finds to make better in a description, and what its provider decides of that."""
