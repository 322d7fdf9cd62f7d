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
    cause_ja = "この利用権に含まれるバイト数または回数は使い切られたか、進行中のダウンロードに確保されています。"
    cure_ja = (
        "より小さい範囲を求めるか、進行中のダウンロードの終了を待つか、もう一度注文してください。"
        "この利用権で受け取り済みのバイトに、再び課金されることはありません。"
    )
