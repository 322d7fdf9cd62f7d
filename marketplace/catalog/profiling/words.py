"""The sentences of a profile, in English and Japanese: problems that stop it, and warnings that qualify it."""

from typing import Any

PROBLEMS: dict[str, tuple[str, str]] = {
    "empty-file": (
        "The file holds no data.",
        "ファイルにデータがありません。",
    ),
    "content-refused": (
        "The file holds My Numbers. It is refused, its bytes are removed, and nothing of its content is shown.",
        "ファイルに個人番号（マイナンバー）があるため受け付けません。内容は削除され、表示されません。",
    ),
    "truncated": (
        "The file ends in the middle of its {format} structure; it was probably cut off while it was copied.",
        "{format}の構造の途中でファイルが終わっています。転送中に途切れた可能性があります。",
    ),
    "damaged": (
        "The file begins like {format} but cannot be read as such: {reason}.",
        "{format}として始まっていますが、読み取れません：{reason}。",
    ),
    "unpacks-too-large": (
        "{packed_bytes} bytes would unpack to {unpacked_bytes}; the limit is {limit_bytes}, or {limit_ratio} times.",
        "{packed_bytes}バイトが{unpacked_bytes}バイトに展開されます。上限は{limit_bytes}バイト、または{limit_ratio}倍です。",
    ),
    "too-many-members": (
        "The archive holds {members} members; the limit is {limit}.",
        "アーカイブ内の項目が{members}個あります。上限は{limit}個です。",
    ),
    "document-type-forbidden": (
        "The workbook carries an XML document type declaration in {member}; it was not opened.",
        "ブック内の{member}にXML文書型宣言があり、外部実体を参照するおそれがあるため開きませんでした。",
    ),
    "too-many-columns": (
        "The table has {columns} columns; the limit is {limit}.",
        "列数が{columns}あります。上限は{limit}列です。",
    ),
    "cell-too-long": (
        "A cell near line {line} is longer than {limit} characters; a quotation mark may never be closed.",
        "{line}行目付近のセルが{limit}文字を超えています。引用符が閉じられていない可能性があります。",
    ),
    "line-too-long": (
        "A line is longer than {limit} characters.",
        "{limit}文字を超える行があります。",
    ),
    "invalid-json": (
        "The JSON breaks its grammar near character {offset}: {reason}.",
        "JSONの文法に誤りがあります（{offset}文字目付近）：{reason}。",
    ),
    "nested-too-deeply": (
        "The JSON is nested more deeply than can be read safely.",
        "JSONの入れ子が深すぎるため、安全に読み取れません。",
    ),
    "too-much-memory": (
        "Reading the file needs more than {limit_bytes} bytes of memory.",
        "読み取りに{limit_bytes}バイトを超えるメモリーが必要です。",
    ),
    "too-much-time": (
        "Reading the file takes more than {limit_seconds} seconds.",
        "読み取りに{limit_seconds}秒を超える時間がかかります。",
    ),
    "reader-stopped": (
        "The reader stopped unexpectedly ({reason}); the file was left as it is.",
        "読み取り処理が予期せず停止しました（{reason}）。ファイルはそのままです。",
    ),
}

WARNINGS: dict[str, tuple[str, str]] = {
    "mislabelled": (
        "The name ends in .{extension} but the content is {format}.",
        "拡張子は.{extension}ですが、内容は{format}です。",
    ),
    "ragged-rows": (
        "{short} rows have fewer and {long} rows have more cells than the header; the first is data row {first_row}.",
        "見出しよりセルの少ない行が{short}行、多い行が{long}行あります。最初はデータ{first_row}行目です。",
    ),
    "blank-lines": (
        "{lines} blank lines were skipped.",
        "空行を{lines}行読み飛ばしました。",
    ),
    "no-header": (
        "The first row looks like data, so the columns were numbered.",
        "先頭行がデータのようなので、列に番号を付けました。",
    ),
    "invalid-bytes": (
        "{count} byte sequences are not valid {encoding}; they are shown as U+FFFD.",
        "{encoding}として不正なバイト列が{count}か所あり、U+FFFDで表示しています。",
    ),
    "nul-bytes": (
        "The text holds {count} NUL characters.",
        "テキストにNUL文字が{count}個含まれています。",
    ),
    "unclosed-quote": (
        "The number of quotation marks is odd: one is never closed, or the file was cut off.",
        "引用符の数が奇数です。閉じられていないか、ファイルが途切れています。",
    ),
    "cut-off-row": (
        "The last row is short and has no line ending: the file may have been cut off.",
        "最終行のセルが不足し改行もありません。ファイルが途切れた可能性があります。",
    ),
    "partial": (
        "The file is too large to be read to its end; the figures cover its first {rows} rows.",
        "大きすぎるため最後まで読めませんでした。数値は先頭{rows}行についてのものです。",
    ),
    "duplicate-columns": (
        "Column names occur more than once: {names}.",
        "列名が重複しています：{names}。",
    ),
    "full-width-digits": (
        "Column {column} holds numbers in full-width digits; they are kept as text.",
        "列{column}に全角数字の数値があります。文字列として扱います。",
    ),
    "ambiguous-dates": (
        "Column {column} holds dates whose day and month cannot be told apart; they are kept as text.",
        "列{column}の日付は月と日の順序を判別できません。文字列として扱います。",
    ),
    "compact-dates": (
        "Every value of column {column} reads as a date written YYYYMMDD; the column is reported as integer.",
        "列{column}の値はすべてYYYYMMDD形式の日付として読めます。整数として報告します。",
    ),
    "not-finite": (
        "{count} numbers are NaN or Infinity, which JSON does not know.",
        "JSONにない数値（NaN、Infinity）が{count}個あります。",
    ),
    "not-features": (
        "{count} members of the collection are not GeoJSON features.",
        "コレクションにGeoJSONのFeatureでない要素が{count}個あります。",
    ),
    "other-sheets": (
        "Only sheet {sheet} is described; the workbook has {sheets} sheets.",
        "シート{sheet}のみ記述しています。ブックには{sheets}シートあります。",
    ),
    "external-links": (
        "The workbook refers to other files; the links were not followed.",
        "ブックが外部ファイルを参照しています。リンクはたどっていません。",
    ),
    "contains-macros": (
        "The workbook carries macros; they were not run.",
        "ブックにマクロが含まれています。実行していません。",
    ),
    "row-count-differs": (
        "The footer promises {promised} rows but {rows} could be read.",
        "フッターの行数は{promised}行ですが、読み取れたのは{rows}行です。",
    ),
}


def problem(slug: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the problem as {slug, detail, detail_ja} with its facts beside them."""
    english, japanese = PROBLEMS[slug]
    return {"slug": slug, "detail": english.format(**facts), "detail_ja": japanese.format(**facts), **facts}


def told(slug: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the problem that a reader named, or that it named none that there is."""
    try:
        return problem(slug, facts)
    except (KeyError, IndexError, ValueError):
        return problem("reader-stopped", {"reason": "unreadable answer"})


def warning(code: str, **facts: Any) -> dict[str, Any]:
    """Return the warning as {code, detail, detail_ja} with its facts beside them."""
    english, japanese = WARNINGS[code]
    return {"code": code, "detail": english.format(**facts), "detail_ja": japanese.format(**facts), **facts}
