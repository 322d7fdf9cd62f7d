"""Harvesting: what other catalogues publish, taken over record by record, and kept up with."""
