"""Uploads on their way into draft releases, and how much room each provider takes."""
