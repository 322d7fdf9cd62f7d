"""Disputes: payments that buyers contest at their banks, and what became of the money."""
