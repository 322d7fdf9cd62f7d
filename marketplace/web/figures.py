"""Figures and codes as people read them, in the reader's language. Pure but for the language."""

from datetime import datetime
from decimal import Decimal

from marketplace.catalog import places
from marketplace.catalog.states import (
    FREQUENCY_LABELS,
    HIGH_VALUE_LABELS,
    LICENCE_LABELS,
    THEME_LABELS,
    Frequency,
    HighValue,
    Licence,
    Theme,
)
from marketplace.kit import clock
from marketplace.licensing.regions import region_name
from marketplace.privacy.states import PrivacyClass
from marketplace.web.language import chosen, say

PRICE_CLASSES = {
    "free": ("無料", "Free"),
    "one_off": ("一括", "One-off"),
    "subscription": ("定期", "Subscription"),
    "metered": ("従量", "Metered"),
}
DELIVERIES = {
    "exchange": ("取引所から", "From the exchange"),
    "provider": ("提供者から直接", "From its provider"),
    "source": ("元のカタログから", "From the catalogue it came from"),
}
UNITS = ("KiB", "MiB", "GiB", "TiB")
STEP = 1024


_TRUSTS = {
    "verified": ("確認済みの組織", "a verified organization"),
    "qualified": ("資格審査を受けた組織", "a qualified organization"),
}


def size(size_bytes: int) -> str:
    """Return a number of bytes with at most one decimal, in binary units."""
    if size_bytes < STEP:
        return say(f"{size_bytes:,} バイト", f"{size_bytes:,} bytes")
    power = min((size_bytes.bit_length() - 1) // 10, len(UNITS))
    return f"{(Decimal(size_bytes) / STEP**power).quantize(Decimal('0.1')):,} {UNITS[power - 1]}"


def yen(amount_yen: int) -> str:
    """Return an amount of yen."""
    return say(f"{amount_yen:,}円", f"¥{amount_yen:,}")


def count(number: int | None) -> str:
    """Return a number with its thousands apart, a dash for none."""
    return "–" if number is None else f"{number:,}"


def share(part_of_one: str | None) -> str:
    """Return a share such as "0.125000" as a percentage."""
    if part_of_one is None:
        return "–"
    return f"{(Decimal(part_of_one) * 100).quantize(Decimal('0.1'))} %"


def day(instant: str | None) -> str:
    """Return the calendar day in Japan of an RFC 3339 instant."""
    return "–" if instant is None else clock.parse(instant).astimezone(clock.JST).date().isoformat()


def minute(at: datetime) -> str:
    """Return an instant as day and minute in Japan."""
    return at.astimezone(clock.JST).strftime("%Y-%m-%d %H:%M JST")


def theme(code: str | None) -> str:
    """Return the label of a theme, the code itself where it has none."""
    return _label(THEME_LABELS.get(Theme(code)) if code in set(Theme) else None, code)


def frequency(code: str | None) -> str:
    """Return the label of an update frequency."""
    return _label(FREQUENCY_LABELS.get(Frequency(code)) if code in set(Frequency) else None, code)


def high_value(codes: list[str]) -> str:
    """Return the labels of categories of high value."""
    return say("、", ", ").join(say(*HIGH_VALUE_LABELS[HighValue(code)]) for code in codes)


def licence(code: str | None) -> str:
    """Return the label of a public licence."""
    return _label(LICENCE_LABELS.get(Licence(code)) if code in set(Licence) else None, code)


def price_class(code: str) -> str:
    """Return the label of a price class."""
    return _label(PRICE_CLASSES.get(code), code)


def delivery(code: str) -> str:
    """Return the label of a way by which data reaches its buyer."""
    return _label(DELIVERIES.get(code), code)


def privacy_class(code: str) -> str:
    """Return the label of a class of personal data."""
    known = PrivacyClass.named(code)
    return _label((known.ja, known.en) if known else None, code)


def region(code: str) -> str:
    """Return a region with what it lies in: JP, an ISO 3166-2 code or a 6-digit local-government code."""
    place = 0 if chosen() == "ja" else 1
    if len(code) == 6 and code.isdecimal():
        within = [places.name_of(one, place) for one in reversed(places.holding(code)) if one[2:5] != "000"]
        return " ".join(filter(None, [region_name(f"JP-{code[:2]}", place), *within, code]))
    return region_name(code, place)


def is_web_address(text: str) -> bool:
    """Return whether a text that somebody wrote may stand in a link: a ``javascript:`` address may not."""
    return text.lower().startswith(("https://", "http://"))


def _label(label: tuple[str, str] | None, code: str | None) -> str:
    return say(*label) if label else code or "–"


def admission(trust: str | None, assurance: str | None) -> str:
    """Return what a dataset asks of whoever orders and fetches it."""
    asked = [_TRUSTS[trust]] if trust in _TRUSTS else []
    if assurance is not None:
        level = assurance.upper()
        asked.append(
            (
                f"認証レベル{level}以上、または鍵で認証するプログラム",
                f"sign-in of {level} at least, or a program with a key",
            )
        )
    return say("、", "; ").join(say(*words) for words in asked)
