"""Webhooks: what changed, told to the endpoints of those who asked, signed as Standard Webhooks say."""
