"""Refunds: money that goes back to buyers, or is taken off what they owe."""
