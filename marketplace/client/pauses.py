"""Waiting for others, in one place."""

import time


def pause(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)
