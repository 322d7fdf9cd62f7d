"""Incidents: what went wrong, whom it touches, who was told."""
