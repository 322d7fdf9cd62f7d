"""What metering refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Refusal


class QuotaExhausted(Forbidden):
    """The grant has not enough left for what was asked."""

    slug = "quota-exhausted"
    title, title_ja = "Quota exhausted", "利用上限に達しています"
    cause = (
        "The bytes, downloads, rows or requests that this grant includes are used up, "
        "or held by downloads still running."
    )
    cure = (
        "Ask for a smaller range, wait until running downloads have ended, or order the offer again. "
        "Bytes of this grant that you have received before cost nothing again."
    )
    cause_ja = (
        "この利用権に含まれるバイト数、回数、行数またはリクエスト数は使い切られたか、"
        "進行中のダウンロードに確保されています。"
    )
    cure_ja = (
        "より小さい範囲を求めるか、進行中のダウンロードの終了を待つか、もう一度注文してください。"
        "この利用権で受け取り済みのバイトに、再び課金されることはありません。"
    )


class DeliveryStillOpen(Conflict):
    """A receipt was asked for of a delivery that has not ended."""

    slug = "delivery-still-open"
    title, title_ja = "The delivery has not ended yet", "配信はまだ終わっていません"
    cause = "A receipt states how a delivery ended, and this one still runs, or its end is not counted yet."
    cure = "Ask again when the download has ended; one that broke off is closed within two minutes."
    cause_ja = "受領証は配信の結果を示すものですが、この配信はまだ続いているか、終わりがまだ計量されていません。"
    cure_ja = "ダウンロードの終了後にもう一度求めてください。途切れたものは2分以内に閉じられます。"


class TooManyStreams(Forbidden):
    """As many downloads as the offer allows at once are running under the grant."""

    slug = "too-many-streams"
    title, title_ja = "Too many downloads at once", "同時ダウンロード数の上限に達しています"
    cause = "The offer of this grant allows a number of downloads at the same time, and that many are running."
    cure = "Wait until one of them has ended; one that broke off is closed within two minutes."
    cause_ja = "この利用権のオファーは同時に行えるダウンロードの数を定めており、その数のダウンロードが進行中です。"
    cure_ja = "どれかが終わるまで待ってください。途切れたものは2分以内に閉じられます。"


class RateLimited(Refusal):
    """A grant asks an upstream more often than its provider allows in a minute (RFC 6585 section 4)."""

    slug, status = "rate-limited", 429
    title, title_ja = "Too many requests in this minute", "1分あたりのリクエスト数の上限に達しています"
    cause = "The provider allows each grant a number of requests a minute, and they were made. Nothing was charged."
    cure = "Send the same request again after the seconds in Retry-After; RateLimit says how many are left."
    cause_ja = "提供者が利用権ごとに定めた1分あたりのリクエスト数に達しました。料金は発生していません。"
    cure_ja = "Retry-After の秒数の後に、同じ要求を送ってください。残りの回数は RateLimit に示されます。"
