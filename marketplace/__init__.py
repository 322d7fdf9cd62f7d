"""Musubi: a data exchange that ties data together through paid trade."""

__version__ = "0.1.0"
