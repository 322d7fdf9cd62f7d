"""Which classes of personal data may be listed, and under what conditions."""
