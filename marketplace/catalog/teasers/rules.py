"""What an announcement must look like: pure functions."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from marketplace.catalog import dictionary, rules
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.states import Theme
from marketplace.kit.errors import Invalid

PRICE_YEN_MAX = 999_999_999_999
AHEAD_MAX = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True)
class TeaserDraft:
    """What a provider says of a dataset to come; without a price nothing is said of it."""

    title_ja: str
    title_en: str
    description_ja: str
    description_en: str
    themes: tuple[Theme, ...]
    region: str
    expected_on: date
    columns: tuple[ColumnNote, ...] = ()
    price_from_yen: int | None = None
    price_to_yen: int | None = None

    def stored(self) -> dict[str, Any]:
        """Return the fields as they are kept."""
        lists = {"themes": list(self.themes), "columns": dictionary.stored(self.columns)}
        return asdict(self) | lists


def check(draft: TeaserDraft, today: date) -> None:
    """Raise Invalid that names every field at fault, or return."""
    faults = {
        "title_ja": rules.text_fault(draft.title_ja, rules.TITLE_LENGTH_MAX),
        "title_en": rules.text_fault(draft.title_en, rules.TITLE_LENGTH_MAX),
        "description_ja": rules.text_fault(draft.description_ja, rules.DESCRIPTION_LENGTH_MAX, lines=True),
        "description_en": rules.text_fault(draft.description_en, rules.DESCRIPTION_LENGTH_MAX, lines=True),
        "themes": rules.themes_fault(draft.themes),
        "region": rules.region_fault(draft.region),
        "expected_on": _day_fault(draft.expected_on, today),
        "price_to_yen": _price_fault(draft.price_from_yen, draft.price_to_yen),
    }
    if not (draft.title_ja.strip() or draft.title_en.strip()):
        faults["title_ja"] = "a title is needed in Japanese or in English"
    errors = [{"pointer": f"/{name}", "detail": fault} for name, fault in faults.items() if fault]
    if errors:
        raise Invalid(errors=errors)
    dictionary.check_notes(draft.columns)


def _day_fault(expected_on: date, today: date) -> str | None:
    return (
        None if today <= expected_on <= today + AHEAD_MAX else "must be a day from today on, five years ahead at most"
    )


def _price_fault(low: int | None, high: int | None) -> str | None:
    if low is None and high is None:
        return None
    if low is None or high is None or not 0 <= low <= high <= PRICE_YEN_MAX:
        return "must be a range of whole yen, from the lower end to the upper"
    return None
