"""What keeps the record from being signed."""


class LogKeyUnusable(Exception):
    """The key file of the log does not hold what it should; the message says how to mend it."""


class LogForked(Exception):
    """The record is not one that continues what was signed before: nothing is signed until somebody has looked."""
