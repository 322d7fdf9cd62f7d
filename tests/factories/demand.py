"""Data requests and what becomes of them, as organizations state and answer them."""

from datetime import timedelta
from typing import Any

from marketplace.catalog.states import Theme
from marketplace.demand import service
from marketplace.demand.models import DataRequest
from marketplace.demand.rules import AnswerDraft, RequestDraft
from marketplace.demand.states import AnswerKind
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction

TITLE = "大通公園周辺の時間帯別の歩行者数"
PROBLEM = "商店街の催しの効果を測るため、通りごとの歩行者数を時間帯別に比べたい。"


def draft(**changes: Any) -> RequestDraft:
    """Counts of passers-by in Sapporo, needed within ninety days."""
    said = {"title": TITLE, "problem": PROBLEM, "deadline": clock.today() + timedelta(days=90)}
    return RequestDraft(**said | {"theme": Theme.TRANSPORT_TOURISM, "region": "011002"} | changes)


def stated(who: Actor, **changes: Any) -> DataRequest:
    """A live request, kept."""
    with transaction():
        return service.state_request(who, draft(**changes))


def teaser(words: str = "センサー30台の時間帯別の計測値を作れます。") -> AnswerDraft:
    """What a provider could make."""
    return AnswerDraft(AnswerKind.TEASER, words)
