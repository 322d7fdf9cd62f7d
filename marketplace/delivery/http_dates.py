"""HTTP dates (RFC 9110 section 5.6.7). Pure."""

from datetime import UTC, datetime
from email.utils import format_datetime

# IMF-fixdate, and the two obsolete forms that recipients must still read.
_FORMS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_LENGTH_MAX = 40


def parse(field: str | None) -> datetime | None:
    """Return the instant; None where there is none or it is not an HTTP date, which is then ignored."""
    if field is None or len(field) > _LENGTH_MAX:
        return None
    for form in _FORMS:
        try:
            return datetime.strptime(field.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def write(at: datetime) -> str:
    """Write an instant as IMF-fixdate, to the second."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
