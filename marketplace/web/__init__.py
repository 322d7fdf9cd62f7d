"""Pages for people: problems, documentation, the public catalogue."""
