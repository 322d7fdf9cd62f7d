"""What people type into forms: days, yen, and which field was wrong."""

from datetime import date

from marketplace.kit.errors import Invalid, Refusal
from marketplace.web.language import say
from marketplace.web.sign_in import trouble_of


def day(text: str, field: str) -> date | None:
    """Return a day, None where nothing was typed; raises Invalid."""
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise wrong(field, "must be a day such as 2027-03-31") from None


def yen(text: str, field: str, most: int) -> int | None:
    """Return whole yen, None where nothing was typed; raises Invalid."""
    digits = text.strip().replace(",", "")
    if not digits:
        return None
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(most))):
        raise wrong(field, "must be a whole number of yen")
    return int(digits)


def wrong(field: str, detail: str) -> Invalid:
    """Return the refusal of a field."""
    return Invalid(errors=[{"pointer": f"/{field}", "detail": detail}])


def trouble(refusal: Refusal | None) -> str:
    """Return what was wrong, with the fields at fault where they are known."""
    if refusal is None:
        return ""
    fields = say("、", ", ").join(error["pointer"].strip("/") for error in refusal.errors)
    return f"{trouble_of(refusal)} ({fields})" if fields else trouble_of(refusal)
