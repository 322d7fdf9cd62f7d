"""Documents: every paper that the exchange issues, numbered, unchangeable, kept, and found again."""
