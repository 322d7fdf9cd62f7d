"""What a description, a label and a file name must look like: pure functions."""

import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from marketplace.catalog.errors import FileNameUnsafe
from marketplace.catalog.states import Frequency, HighValue, Licence, Theme
from marketplace.identity.rules import is_government_code
from marketplace.identity.states import Assurance, Trust
from marketplace.kit.errors import Invalid

TITLE_LENGTH_MAX = 300
DESCRIPTION_LENGTH_MAX = 20_000
CONTACT_LENGTH_MAX = 300
URL_LENGTH_MAX = 2_000
KEYWORDS_MAX = 50
KEY_COLUMNS_MAX = 20
COLUMN_NAME_LENGTH_MAX = 300
KEYWORD_LENGTH_MAX = 100
LABEL_LENGTH_MAX = 100
NAME_BYTES_MAX = 255
FILES_PER_RELEASE_MAX = 2_000
COLUMN_NAMES_MAX = 10_000
COUNTRY = "JP"
TRUSTS = (Trust.VERIFIED, Trust.QUALIFIED)

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", re.ASCII)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
_TOKEN = r"[a-z0-9!#$&^_.+-]{1,127}"  # noqa: S105 - a token of RFC 6838 section 4.2, not a secret
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}(; ?{_TOKEN}=\"?{_TOKEN}\"?){{0,4}}", re.ASCII)
_ESCAPED = re.compile(r"%(2e|2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9])", re.IGNORECASE | re.ASCII)
# What is dropped by a line or a page, or reorders what is read: Cc control, Cf format, Cs surrogate,
# Co private, Cn unassigned, Zl and Zp separators.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MARKS = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class DatasetDraft:
    """What a provider says of a dataset. One title is needed; texts that do not exist are empty.

    ``region`` is a local-government code of 6 digits or ``JP``; the contact is an office, not a person.
    ``trust_required`` and ``assurance_required`` are asked of whoever orders and fetches it; None asks nothing.
    By ``key_columns`` a row of its tables is known from one release to the next. At ``assessment_url`` everybody
    can read its privacy impact assessment.
    """

    title_ja: str = ""
    title_en: str = ""
    description_ja: str = ""
    description_en: str = ""
    themes: tuple[Theme, ...] = (Theme.OTHER,)
    region: str = COUNTRY
    language: str = "ja"
    contact_name: str = ""
    contact_url: str = ""
    contact_email: str = ""
    update_frequency: Frequency = Frequency.UNKNOWN
    keywords: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()
    high_value_categories: tuple[HighValue, ...] = ()
    assessment_url: str = ""
    licence_hint: Licence | None = None
    trust_required: Trust | None = None
    assurance_required: Assurance | None = None

    def columns(self) -> dict[str, Any]:
        """Return the fields as they are stored."""
        lists = {name: list(getattr(self, name)) for name in LISTS}
        return asdict(self) | lists


LISTS = ("themes", "keywords", "key_columns", "high_value_categories")
DRAFT_FIELDS = frozenset(field.name for field in fields(DatasetDraft))


def check_draft(draft: DatasetDraft) -> None:
    """Raise Invalid that names every field at fault, or return."""
    faults = {
        "title_ja": text_fault(draft.title_ja, TITLE_LENGTH_MAX),
        "title_en": text_fault(draft.title_en, TITLE_LENGTH_MAX),
        "description_ja": text_fault(draft.description_ja, DESCRIPTION_LENGTH_MAX, lines=True),
        "description_en": text_fault(draft.description_en, DESCRIPTION_LENGTH_MAX, lines=True),
        "themes": themes_fault(draft.themes),
        "region": region_fault(draft.region),
        "language": None if _LANGUAGE.fullmatch(draft.language) else "must be a language tag such as ja or en",
        "contact_name": text_fault(draft.contact_name, CONTACT_LENGTH_MAX),
        "contact_url": url_fault(draft.contact_url),
        "contact_email": email_fault(draft.contact_email),
        "update_frequency": None if draft.update_frequency in set(Frequency) else "must be an EU frequency code",
        "keywords": keywords_fault(draft.keywords),
        "key_columns": key_columns_fault(draft.key_columns),
        "high_value_categories": high_value_fault(draft.high_value_categories),
        "assessment_url": url_fault(draft.assessment_url),
        "licence_hint": None if draft.licence_hint in {None, *Licence} else "must be one of the listed licences",
        "trust_required": None if draft.trust_required in {None, *TRUSTS} else "must be verified or qualified",
        "assurance_required": None if draft.assurance_required in {None, *Assurance} else "must be aal1, aal2 or aal3",
    }
    if not (draft.title_ja.strip() or draft.title_en.strip()):
        faults["title_ja"] = "a title is needed in Japanese or in English"
    _refuse(faults)


def check_release(label: str, notes: str) -> None:
    """Raise Invalid unless the label is short and visible and the notes are storable text."""
    fault = text_fault(label, LABEL_LENGTH_MAX) or (None if label.strip() else "must not be empty")
    _refuse({"label": fault, "notes": text_fault(notes, DESCRIPTION_LENGTH_MAX, lines=True)})


def check_media_type(media_type: str) -> None:
    """Raise Invalid unless this is a media type (RFC 6838)."""
    _refuse({"media_type": None if _MEDIA_TYPE.fullmatch(media_type) else "must be a media type such as text/csv"})


def check_content(media_type: str, sha256: str, size_bytes: int) -> None:
    """Raise Invalid unless type (RFC 6838), hash and size can be those of a stored file."""
    _refuse(
        {
            "media_type": None if _MEDIA_TYPE.fullmatch(media_type) else "must be a media type such as text/csv",
            "sha256": None if re.fullmatch("[0-9a-f]{64}", sha256) else "must be 64 lower-case hex digits",
            "size_bytes": None if 0 <= size_bytes < 2**63 else "must be a count of bytes",
        }
    )


def file_name_fault(name: str) -> str | None:
    """Return why a file name is unsafe on some system on its way, or None; the name itself is never changed."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        return f"must have 1 to {NAME_BYTES_MAX} bytes in UTF-8"
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        return "must not contain control, direction, zero-width or other invisible characters"
    # Some systems fold widths before they look for separators: ／ and ‥ must not become / and .. there.
    folded = unicodedata.normalize("NFKC", name)
    if _MARKS & set(name) or {"/", "\\"} & set(folded) or _ESCAPED.search(folded):
        return "must not contain path separators, wildcards, quotes or their escaped forms"
    if folded != folded.strip() or folded.startswith((".", "~")) or folded.endswith("."):
        return "must not begin with a dot or a tilde, end with a dot, or have spaces at its ends"
    if _DEVICE.fullmatch(folded.split(".")[0].rstrip()):
        return "must not be the name of a device"
    return None


def check_file_name(name: str) -> None:
    """Raise FileNameUnsafe with its reason, or return."""
    fault = file_name_fault(name)
    if fault:
        raise FileNameUnsafe(f"The file name {fault}.", errors=[{"pointer": "/name", "detail": fault}])


def name_key(name: str) -> str:
    """Return what all names that look alike have in common: composed, narrow, without case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def text_fault(text: str, length_max: int, *, lines: bool = False) -> str | None:
    """Return why a text cannot be stored and shown, or None; ``lines`` allows line breaks and tabs."""
    if len(text) > length_max:
        return f"must have at most {length_max:,} characters"
    allowed = "\n\r\t" if lines else ""
    if text.isprintable():
        return None
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in allowed for sign in text):
        return "must not contain control characters"
    return None


def region_fault(region: str) -> str | None:
    """Return why this is no region, or None for ``JP`` and for codes with the right check digit."""
    if region == COUNTRY or is_government_code(region):
        return None
    return "must be JP or a local-government code of 6 digits with its check digit, such as 011002"


def url_fault(url: str) -> str | None:
    """Return why a link cannot be shown to the public, or None; empty is no link."""
    if not url:
        return None
    fault = text_fault(url, URL_LENGTH_MAX)
    try:
        parts = urlsplit(url)
    except ValueError:
        return "must be an http or https address"
    if fault or parts.scheme not in {"http", "https"} or not parts.hostname or " " in url:
        return fault or "must be an http or https address"
    return "must not contain a user name or password" if "@" in parts.netloc else None


def email_fault(email: str) -> str | None:
    """Return why this is no e-mail address, or None; empty is no address."""
    return None if not email or _EMAIL.fullmatch(email) else "must be an e-mail address of the office"


def themes_fault(themes: tuple[str, ...]) -> str | None:
    """Return what is wrong with the themes, or None."""
    is_listed = bool(themes) and set(themes) <= set(Theme)
    return None if is_listed and len(set(themes)) == len(themes) else "must be some of the 17 themes, each once"


def keywords_fault(keywords: tuple[str, ...]) -> str | None:
    """Return what is wrong with the keywords, or None."""
    if len(keywords) > KEYWORDS_MAX:
        return f"must be at most {KEYWORDS_MAX} words"
    if len(set(keywords)) != len(keywords) or not all(word.strip() for word in keywords):
        return "must be distinct and not empty"
    return next(filter(None, (text_fault(word, KEYWORD_LENGTH_MAX) for word in keywords)), None)


def high_value_fault(categories: tuple[str, ...]) -> str | None:
    """Return what is wrong with the categories of high value, or None."""
    is_listed = set(categories) <= set(HighValue) and len(set(categories)) == len(categories)
    return None if is_listed else "must be some of the six categories, each once"


def key_columns_fault(columns: tuple[str, ...]) -> str | None:
    """Return what is wrong with the columns by which rows are known, or None."""
    if len(columns) > KEY_COLUMNS_MAX or len(set(columns)) != len(columns) or not all(columns):
        return f"must name at most {KEY_COLUMNS_MAX} columns, each once"
    return next(filter(None, (text_fault(name, COLUMN_NAME_LENGTH_MAX) for name in columns)), None)


def _refuse(faults: dict[str, str | None]) -> None:
    errors = [{"pointer": f"/{field}", "detail": fault} for field, fault in faults.items() if fault]
    if errors:
        raise Invalid(errors=errors)
