"""What at the gate waits for somebody, and who has been told of it."""
