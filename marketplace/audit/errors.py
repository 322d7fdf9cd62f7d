"""What the record refuses, and what keeps it from being signed."""

from marketplace.kit.errors import Conflict


class HoldLifted(Conflict):
    """A legal hold that was lifted is not lifted again."""

    slug = "hold-lifted"
    title, title_ja = "Hold lifted already", "保全はすでに解除されています"
    cause = "The legal hold was lifted before, for the reason that is kept with it."
    cure = "Place another hold where something must be kept again."
    cause_ja = "この法的保全は、記録された理由によりすでに解除されています。"
    cure_ja = "再び保全が必要な場合は、新しい保全を設定してください。"


class LogKeyUnusable(Exception):
    """The key file of the log does not hold what it should; the message says how to mend it."""


class LogForked(Exception):
    """The record is not one that continues what was signed before: nothing is signed until somebody has looked."""
