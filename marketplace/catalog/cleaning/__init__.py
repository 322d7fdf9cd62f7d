"""Cleaning: what publishers write, read as codes, and what their words suggest. Pure functions."""
