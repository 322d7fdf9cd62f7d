"""What metering refuses."""

from marketplace.kit.errors import Forbidden


class QuotaExhausted(Forbidden):
    """The grant has not enough left for what was asked."""

    slug = "quota-exhausted"
    title, title_ja = "Quota exhausted", "利用上限に達しています"
    cause = "The bytes or downloads that this grant includes are used up, or held by downloads still running."
    cure = (
        "Ask for a smaller range, wait until running downloads have ended, or order the offer again. "
        "Bytes of this grant that you have received before cost nothing again."
    )
