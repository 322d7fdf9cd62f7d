"""What buyers say of what they bought, and what the books say of who sold it."""
