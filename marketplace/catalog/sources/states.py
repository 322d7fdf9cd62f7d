"""How often a source is asked, and what became of it."""

from enum import StrEnum

from marketplace.catalog.states import Label


class Schedule(StrEnum):
    """How often a source is asked."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class PullResult(StrEnum):
    """What became of the last time."""

    FRESH = "fresh"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class PullProblem(StrEnum):
    """Why the last time failed."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STATUS = "status"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    RELEASE = "release"


PROBLEM_LABELS = {
    PullProblem.REFUSED: Label(
        "このアドレスからは取得できません。公開インターネット上の https で、圧縮せずに応答する必要があります。",
        "The address is not fetched from: it must be https on the open internet, and answer without packing.",
    ),
    PullProblem.UNREACHABLE: Label(
        "アドレスが応答しないか、途中で切れました。", "The address does not answer, or broke off before the end."
    ),
    PullProblem.STATUS: Label(
        "200 以外の応答でした。転送（リダイレクト）はたどりません。",
        "It answered with another status than 200; redirects are not followed.",
    ),
    PullProblem.TOO_LARGE: Label(
        "応答が、ファイルの大きさの上限を超えています。", "The answer is larger than a file may be."
    ),
    PullProblem.TOO_SLOW: Label("応答が遅すぎます。", "The answer comes too slowly."),
    PullProblem.RELEASE: Label(
        "取得した内容から版を作れないか、公開できません。",
        "No release could be made of it, or it could not be published.",
    ),
}
