"""What a foreign catalogue is, what became of a run over it and of each of its records."""

from enum import StrEnum

from marketplace.catalog.states import Label


class SourceKind(StrEnum):
    """In which form a catalogue publishes its records."""

    CKAN = "ckan"
    LIST = "list"
    CADDE = "cadde"
    DCAT = "dcat"
    PACKAGES = "packages"


SOURCE_KIND_LABELS = {
    SourceKind.CKAN: Label("CKAN の Action API", "CKAN Action API"),
    SourceKind.LIST: Label("データカタログ一覧 (CSV)", "List of datasets (CSV)"),
    SourceKind.CADDE: Label("CADDE データカタログ (XLSX)", "CADDE catalogue (XLSX)"),
    SourceKind.DCAT: Label("DCAT (JSON-LD, Turtle, RDF/XML)", "DCAT (JSON-LD, Turtle, RDF/XML)"),
    SourceKind.PACKAGES: Label(
        "CKAN パッケージのファイル (JSON, JSON Lines)", "File of CKAN packages (JSON, JSON Lines)"
    ),
}


class HarvestSchedule(StrEnum):
    """How often a catalogue is harvested by itself."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class RunState(StrEnum):
    """How far a run has come; done and failed are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    """What became of one record in one run."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    VANISHED = "vanished"


OUTCOME_LABELS = {
    Outcome.CREATED: Label("新規", "created"),
    Outcome.CHANGED: Label("更新", "changed"),
    Outcome.UNCHANGED: Label("変更なし", "unchanged"),
    Outcome.REFUSED: Label("取り込まず", "refused"),
    Outcome.VANISHED: Label("消失", "vanished"),
}


class RecordReason(StrEnum):
    """Why a record was refused."""

    UNREADABLE = "unreadable"
    INVALID = "invalid"
    HELD_ELSEWHERE = "held_elsewhere"
    WITHDRAWN = "withdrawn"
    TOO_LARGE = "too_large"
    PRIVATE = "private"


class HarvestProblem(StrEnum):
    """Why a run failed, or what it says of the catalogue although it came to its end."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STATUS = "status"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNREADABLE = "unreadable"
    LOOP = "loop"
    IMPLAUSIBLE = "implausible"


HARVEST_PROBLEM_LABELS = {
    HarvestProblem.REFUSED: Label(
        "このアドレスからは取得できません。公開インターネット上の https で、圧縮せずに応答する必要があります。",
        "The address is not fetched from: it must be https on the open internet, and answer without packing.",
    ),
    HarvestProblem.UNREACHABLE: Label(
        "カタログが応答しないか、途中で切れました。", "The catalogue does not answer, or broke off before the end."
    ),
    HarvestProblem.STATUS: Label("200 以外の応答でした。", "The catalogue answered with another status than 200."),
    HarvestProblem.REDIRECT: Label(
        "転送（リダイレクト）はたどりません。転送先のアドレスを登録してください。",
        "Redirects are not followed: name the address that it points to.",
    ),
    HarvestProblem.TOO_LARGE: Label("応答が大きすぎます。", "The answer is too large."),
    HarvestProblem.TOO_SLOW: Label("応答が遅すぎます。", "The answer comes too slowly."),
    HarvestProblem.UNREADABLE: Label(
        "応答を、この形式のカタログとして読み取れません。", "The answer cannot be read as a catalogue of this form."
    ),
    HarvestProblem.LOOP: Label(
        "同じページが繰り返し返されるため、中止しました。", "The same page came again and again; the run was ended."
    ),
    HarvestProblem.IMPLAUSIBLE: Label(
        "既知のレコードの大半が一度に見えなくなったため、消失とはみなしていません。",
        "Most of the known records were gone at once; they are not taken to have vanished.",
    ),
}
