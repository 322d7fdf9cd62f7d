"""What a query for rows is refused for."""

from marketplace.kit.errors import Invalid, Refusal, Unavailable


class NotTabular(Invalid):
    """The file is no table whose columns the exchange knows."""

    slug = "not-tabular"
    title, title_ja = "Not a table", "表形式のファイルではありません"
    cause = "Rows can be read from CSV, TSV, XLSX and Parquet files that the exchange has profiled; this is none."
    cure = "Fetch the file itself at the same address without /rows."
    cause_ja = "行を読み取れるのは、取引所がプロファイルしたCSV、TSV、XLSX、Parquetのファイルだけです。"
    cure_ja = "末尾の /rows を除いた同じアドレスから、ファイル全体を取得してください。"


class QueryTooExpensive(Invalid):
    """The query needs more time or memory than one query may take; nothing is charged for it."""

    slug = "query-too-expensive"
    title, title_ja = "Query too expensive", "問合せの負荷が大きすぎます"
    cause = "The query needs more time or memory than one query may take; nothing was charged for it."
    cure = "Name fewer columns, leave out the order, or fetch the whole file and query it on your side."
    cause_ja = "一回の問合せに許される時間またはメモリーを超えました。料金は発生していません。"
    cure_ja = "列を減らすか、並べ替えを外すか、ファイル全体を取得して手元で問い合わせてください。"


class PageTooLarge(Invalid):
    """The rows asked for are more bytes than a page may have."""

    slug = "page-too-large"
    title, title_ja = "Page too large", "ページが大きすぎます"
    cause = "The rows asked for come to more bytes than one page may have; nothing was charged for them."
    cure = "Ask for a smaller limit or for fewer columns."
    cause_ja = "要求された行が、一ページに許されるバイト数を超えています。料金は発生していません。"
    cure_ja = "limit を小さくするか、列を減らしてください。"


class RowsBusy(Unavailable):
    """As many queries run as may run at once."""

    slug = "rows-busy"
    title, title_ja = "Too many queries at once", "問合せが混み合っています"
    cause = "As many queries run at the moment as the exchange allows at once; yours was not begun."
    cure = "Send the same query again after the seconds in Retry-After."
    cause_ja = "同時に実行できる問合せの上限に達しています。この問合せは開始されていません。"
    cure_ja = "Retry-Afterの秒数の後に、同じ問合せを送ってください。"


class RowsUnreadable(Refusal):
    """The reader ended in a way that nobody planned: our fault, never the caller's."""

    slug, status = "rows-unreadable", 500
    title, title_ja = "Rows could not be read", "行を読み取れませんでした"
    cause = "The process that reads the file stopped unexpectedly. You were not charged."
    cure = "Tell the operator the id in `instance`; the whole file can be fetched at the same address without /rows."
    cause_ja = "ファイルを読み取る処理が予期せず停止しました。料金は発生していません。"
    cure_ja = "instance にあるIDを運営者に伝えてください。末尾の /rows を除くアドレスからファイル全体を取得できます。"
