"""Private groups: organizations to whom a provider lists datasets that nobody else learns of."""
