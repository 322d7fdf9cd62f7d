"""What an organization may fetch, until when, for what purpose, how much."""
