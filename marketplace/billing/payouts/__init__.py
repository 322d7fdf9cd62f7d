"""Payouts: what providers earned, sent to their bank accounts, after two persons have looked where it is much."""
