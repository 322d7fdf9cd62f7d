"""What the catalogue's addresses refuse."""

from marketplace.kit.errors import Refusal


class CopiesBusy(Refusal):
    """As many copies of the whole catalogue are being written as the server writes at once."""

    slug, status = "catalogue-copies-busy", 503
    title, title_ja = "Catalogue is being copied already", "カタログの一括取得が混み合っています"
    cause = "The server writes a few copies of its whole catalogue at the same time, and as many are being read now."
    cure = "Try again in a minute, or read the catalogue page by page, which is always possible."
    cause_ja = "カタログ全体の一括取得は同時に少数しか行えず、現在その数に達しています。"
    cure_ja = "1分ほど後に再試行するか、いつでも可能なページごとの取得を使用してください。"
