"""Service levels: what was measured of a dataset in a month, and what comes back where a promise was missed."""
