"""The parts of the quality score, and what wins the points that are missing, in Japanese and English."""

from enum import StrEnum

from marketplace.catalog.states import Label


class Part(StrEnum):
    """What is judged of a dataset."""

    DESCRIPTION = "description"
    TAGS = "tags"
    DICTIONARY = "dictionary"
    FORMATS = "formats"
    FRESHNESS = "freshness"
    COMPLETENESS = "completeness"
    TERMS = "terms"


PART_LABELS = {
    Part.DESCRIPTION: Label("題名と説明", "Titles and description"),
    Part.TAGS: Label("キーワードと分野", "Keywords and theme"),
    Part.DICTIONARY: Label("データ辞書", "Data dictionary"),
    Part.FORMATS: Label("形式", "Formats"),
    Part.FRESHNESS: Label("更新", "Updates"),
    Part.COMPLETENESS: Label("欠損の少なさ", "Completeness"),
    Part.TERMS: Label("条件の明確さ", "Clarity of terms"),
}


class Advice(StrEnum):
    """What a provider can do for more points."""

    TITLE_IN_BOTH = "title-in-both"
    DESCRIPTION_LONGER = "description-longer"
    DESCRIPTION_FULL = "description-full"
    DESCRIPTION_IN_BOTH = "description-in-both"
    TAG = "tag"
    MORE_TAGS = "more-tags"
    THEME = "theme"
    TABLE = "table"
    COLUMNS = "columns"
    UNITS = "units"
    FILES = "files"
    OPEN_FORMAT = "open-format"
    CLEAN_FILES = "clean-files"
    FREQUENCY = "frequency"
    OVERDUE = "overdue"
    PUNCTUALITY = "punctuality"
    NULLS = "nulls"
    OFFER = "offer"
    LICENCE = "licence"
    CONTACT = "contact"


ADVICE_LABELS = {
    Advice.TITLE_IN_BOTH: Label(
        "題名を日本語と英語の両方で書いてください。", "Give the title in Japanese and in English."
    ),
    Advice.DESCRIPTION_LONGER: Label(
        "説明を40文字以上にしてください。何を、どこで、いつ、どう数えたかを書きます。",
        "Describe it in 40 characters or more: what was counted where, when and how.",
    ),
    Advice.DESCRIPTION_FULL: Label(
        "説明を200文字以上にし、作成方法、対象範囲、利用上の注意を加えてください。",
        "Describe it in 200 characters or more: how it is made, what it covers, what to mind.",
    ),
    Advice.DESCRIPTION_IN_BOTH: Label(
        "説明を日本語と英語の両方で書いてください。", "Give the description in Japanese and in English."
    ),
    Advice.TAG: Label("キーワードを付けてください。", "Add a keyword."),
    Advice.MORE_TAGS: Label("キーワードを三つ以上にしてください。", "Add keywords until there are three."),
    Advice.THEME: Label("「その他」以外の分野を選んでください。", "Choose a theme other than “Other”."),
    Advice.TABLE: Label(
        "表として読める形式（CSV、JSON、Parquet、XLSX）のファイルを加えてください。",
        "Add a file that can be read as a table: CSV, JSON, Parquet or XLSX.",
    ),
    Advice.COLUMNS: Label("すべての列の意味を書いてください。", "Say of every column what it means."),
    Advice.UNITS: Label("数値の列に単位を付けてください。", "Give the columns of numbers their units."),
    Advice.FILES: Label("ファイルを入れた版を公開してください。", "Publish a release with files."),
    Advice.OPEN_FORMAT: Label(
        "CSV、JSON、GeoJSON、Parquet など、機械で読める開かれた形式でも提供してください。",
        "Provide an open format for machines as well, such as CSV, JSON, GeoJSON or Parquet.",
    ),
    Advice.CLEAN_FILES: Label(
        "警告のないファイルにしてください（見出し行は1行、UTF-8、列数をそろえる）。",
        "Mend what the files are warned of: one header row, UTF-8, rows of equal width.",
    ),
    Advice.FREQUENCY: Label("更新頻度を示してください。", "State how often it is updated."),
    Advice.OVERDUE: Label("予定を過ぎています。次の版を公開してください。", "The next release is overdue: publish it."),
    Advice.PUNCTUALITY: Label(
        "示した頻度どおりに公開するか、実際の頻度に改めてください。",
        "Publish as often as you say, or say how often you do.",
    ),
    Advice.NULLS: Label(
        "空のセルを減らすか、使わない列を除いてください。", "Fill empty cells, or leave out unused columns."
    ),
    Advice.OFFER: Label(
        "利用条件と価格（無料も可）を示して提供してください。", "Offer it: terms and a price, which may be free."
    ),
    Advice.LICENCE: Label("ライセンスを明示してください。", "Name the licence."),
    Advice.CONTACT: Label("問い合わせ先を書いてください。", "Give an office to ask."),
}

_SAY, _COLUMNS = "PATCH /v1/datasets/{dataset_id}", "PUT /v1/datasets/{dataset_id}/dictionary"
_FILE, _RELEASE = "PUT /v1/releases/{release_id}/files/{name}", "POST /v1/datasets/{dataset_id}/releases"
ADVICE_CALLS = {
    Advice.TITLE_IN_BOTH: _SAY,
    Advice.DESCRIPTION_LONGER: _SAY,
    Advice.DESCRIPTION_FULL: _SAY,
    Advice.DESCRIPTION_IN_BOTH: _SAY,
    Advice.TAG: _SAY,
    Advice.MORE_TAGS: _SAY,
    Advice.THEME: _SAY,
    Advice.TABLE: _FILE,
    Advice.COLUMNS: _COLUMNS,
    Advice.UNITS: _COLUMNS,
    Advice.FILES: _RELEASE,
    Advice.OPEN_FORMAT: _FILE,
    Advice.CLEAN_FILES: _FILE,
    Advice.FREQUENCY: _SAY,
    Advice.OVERDUE: _RELEASE,
    Advice.PUNCTUALITY: _SAY,
    Advice.NULLS: _FILE,
    Advice.OFFER: "POST /v1/offers",
    Advice.LICENCE: _SAY,
    Advice.CONTACT: _SAY,
}
"""By which call of the API each is done."""
ADVICE_FIELDS = {
    Advice.TITLE_IN_BOTH: ("title_ja", "title_en"),
    Advice.DESCRIPTION_LONGER: ("description_ja", "description_en"),
    Advice.DESCRIPTION_FULL: ("description_ja", "description_en"),
    Advice.DESCRIPTION_IN_BOTH: ("description_ja", "description_en"),
    Advice.TAG: ("keywords",),
    Advice.MORE_TAGS: ("keywords",),
    Advice.THEME: ("themes",),
    Advice.COLUMNS: ("columns",),
    Advice.UNITS: ("columns",),
    Advice.FREQUENCY: ("update_frequency",),
    Advice.PUNCTUALITY: ("update_frequency",),
    Advice.LICENCE: ("licence_hint",),
    Advice.CONTACT: ("contact_name",),
}
"""Which fields of its body, where it is a matter of some."""
SUGGESTED_AT = "/organization/repairs"
ADVICE_SUGGESTED = frozenset({Advice.TAG, Advice.MORE_TAGS, Advice.THEME, Advice.FREQUENCY, Advice.LICENCE})
"""For which the exchange itself may have a suggestion, to be accepted on the page of repairs."""
