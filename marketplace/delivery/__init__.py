"""Moving bytes: conditional requests, ranges, stores, streaming."""
