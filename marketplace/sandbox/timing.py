"""What happens by itself when time passes; inside an open transaction."""

from marketplace.sandbox import checkout, delayed, payouts
from marketplace.sandbox.events import Recorder


def run_due(story: Recorder) -> int:
    """Expire sessions and vouchers and let payouts arrive whose time is over; returns how many."""
    return checkout.expire_due(story, story.now) + delayed.expire_due(story) + payouts.settle_due(story)
