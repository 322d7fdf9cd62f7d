"""How much was delivered: deliveries, coverage, usage, quotas, statements."""
