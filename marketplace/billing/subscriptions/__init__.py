"""Subscriptions: an offer that is paid term by term, in advance, until somebody ends it."""
