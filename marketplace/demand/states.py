"""The states of data requests, the kinds of answers to them, and what is told of them."""

from enum import StrEnum


class RequestState(StrEnum):
    """How far a data request has come."""

    OPEN = "open"
    ANSWERED = "answered"
    MET = "met"
    CLOSED = "closed"
    EXPIRED = "expired"
    MERGED = "merged"


LIVE = (RequestState.OPEN, RequestState.ANSWERED)
"""The states in which a request can be followed, pledged for, answered, merged and ended."""

STATE_LABELS: dict[RequestState, tuple[str, str]] = {
    RequestState.OPEN: ("募集中", "Open"),
    RequestState.ANSWERED: ("回答あり", "Answered"),
    RequestState.MET: ("解決済み", "Met"),
    RequestState.CLOSED: ("取下げ", "Closed"),
    RequestState.EXPIRED: ("期限切れ", "Expired"),
    RequestState.MERGED: ("統合済み", "Merged"),
}
"""Japanese and English."""


class AnswerKind(StrEnum):
    """How a provider answers: what could be made, what it would cost, or a dataset that is listed."""

    TEASER = "teaser"
    QUOTE = "quote"
    LISTING = "listing"


ANSWER_LABELS: dict[AnswerKind, tuple[str, str]] = {
    AnswerKind.TEASER: ("要旨", "Teaser"),
    AnswerKind.QUOTE: ("見積り", "Quote"),
    AnswerKind.LISTING: ("掲載データ", "Listed dataset"),
}
"""Japanese and English."""


class Event(StrEnum):
    """What the requester and the followers of a request are told."""

    ANSWERED = "answered"
    MET = "met"
    CLOSED = "closed"
    EXPIRED = "expired"
    MERGED = "merged"


EVENT_LABELS: dict[Event, tuple[str, str]] = {
    Event.ANSWERED: ("提供者が回答しました", "a provider has answered"),
    Event.MET: ("解決済みになりました", "it was met"),
    Event.CLOSED: ("取り下げられました", "it was closed"),
    Event.EXPIRED: ("期限が過ぎました", "its deadline has passed"),
    Event.MERGED: ("同じ内容の他のリクエストに統合されました", "it was merged into another one that asks for the same"),
}
"""Japanese and English."""
