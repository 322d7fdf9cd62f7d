"""What a citation is, and whether it is shown."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class CitationKind(Labelled):
    """What somebody made of a dataset."""

    PUBLICATION = "publication", "論文・報告書", "Publication"
    APPLICATION = "application", "アプリ・サービス", "Application or service"
    USE_CASE = "use_case", "活用事例", "Use case"
    NEWS = "news", "報道", "News"


class CitationState(StrEnum):
    """Whether everybody sees it: the provider's own at once, another's when the provider agrees."""

    WAITING = "waiting"
    SHOWN = "shown"
    DECLINED = "declined"
    REMOVED = "removed"


CITATION_MOVES = {
    CitationState.SHOWN: (CitationState.WAITING, CitationState.DECLINED),
    CitationState.DECLINED: (CitationState.WAITING,),
    CitationState.REMOVED: (CitationState.SHOWN,),
}
"""From which states a provider takes a citation into each."""
CITATION_STATE_LABELS = {
    CitationState.WAITING: ("提供者の確認待ち", "Waits for the provider"),
    CitationState.SHOWN: ("表示中", "Shown"),
    CitationState.DECLINED: ("表示しない", "Declined"),
    CitationState.REMOVED: ("表示を終了", "Taken off"),
}
