"""A quarter of trade, played within one process on a database of its own, and proved to the yen."""
