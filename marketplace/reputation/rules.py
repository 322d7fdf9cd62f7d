"""What a rating may say, and what may be told of how a provider's sales went. Pure."""

from dataclasses import dataclass
from typing import Any

from marketplace.disclosure.rules import is_few
from marketplace.kit.errors import Invalid
from marketplace.reputation.states import Telling

TEXT_LENGTH_MAX = 2_000
REASON_LENGTH_MAX = 1_000
STARS = range(1, 6)


@dataclass(frozen=True, slots=True)
class RatingDraft:
    """Stars, and words in one or both languages or none; ``shows_name`` tells everybody who wrote them."""

    stars: int
    text_ja: str = ""
    text_en: str = ""
    shows_name: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """Of how many sales something happened, and how many different buyers stand behind them."""

    sales: int = 0
    buyers: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """A provider's twelve months: releases promised and in time, sales, those given back, those contested and lost."""

    promised: int = 0
    on_time: int = 0
    sold: Share = Share()
    refunded: Share = Share()
    disputed: Share = Share()
    lost: Share = Share()


def check_draft(draft: RatingDraft) -> None:
    """Raise Invalid for what no rating may be."""
    errors = [{"pointer": "/stars", "detail": "must be 1 to 5"}] if draft.stars not in STARS else []
    check_words(draft.text_ja, draft.text_en, "text", errors)


def check_words(ja: str, en: str, name: str, errors: list[dict[str, str]] | None = None) -> None:
    """Raise Invalid for words too long, or with signs that cannot be kept."""
    found = list(errors or ())
    for language, words in (("ja", ja), ("en", en)):
        if len(words) > TEXT_LENGTH_MAX or "\0" in words:
            detail = f"must have at most {TEXT_LENGTH_MAX} characters and no NUL"
            found.append({"pointer": f"/{name}_{language}", "detail": detail})
    if found:
        raise Invalid(errors=found)


def check_reason(reason: str) -> None:
    """Raise Invalid where somebody's words are hidden without a reason."""
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX or "\0" in reason:
        raise Invalid(errors=[{"pointer": "/reason", "detail": f"must have 1 to {REASON_LENGTH_MAX} characters"}])


def tell(facts: Facts, threshold: int) -> dict[str, Any]:
    """Return what the public may have of a provider's months.

    Releases are public and told as they are. Of sales the lower end of a band is told, and shares in whole per cent,
    rounded up, where neither those concerned nor the others are a few buyers.
    """
    is_sold_to_few = facts.sold.buyers < threshold
    return {
        "punctuality": {
            "promised": facts.promised,
            "on_time": facts.on_time,
            "percent": 100 * facts.on_time // facts.promised if facts.promised else None,
        },
        "sales": {
            "telling": Telling.FEW.value if is_sold_to_few else Telling.SHOWN.value,
            "at_least": None if is_sold_to_few else band(facts.sold.sales),
        },
        "refunds": _share(facts.refunded, facts.sold, threshold),
        "disputes": _share(facts.disputed, facts.sold, threshold),
        "disputes_lost": _share(facts.lost, facts.sold, threshold),
    }


def band(count: int) -> int:
    """Return the lower end of the band in which a count lies: 1, 2, 5, 10, 20, 50 and so on; 0 for none."""
    if count < 1:
        return 0
    unit = int("1" + "0" * (len(str(count)) - 1))
    return next(step * unit for step in (5, 2, 1) if step * unit <= count)


def _share(part: Share, whole: Share, threshold: int) -> dict[str, Any]:
    is_hidden = (
        whole.buyers < threshold
        or is_few(part.buyers, threshold)
        or (part.buyers > 0 and is_few(whole.buyers - part.buyers, threshold))
    )
    if is_hidden:
        return {"telling": Telling.FEW.value, "percent": None}
    return {"telling": Telling.SHOWN.value, "percent": -(-100 * part.sales // whole.sales)}
