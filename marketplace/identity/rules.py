"""What an organization's names and numbers must look like: pure functions."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from marketplace.identity.errors import MyNumberRefused
from marketplace.identity.states import Capacity, MemberRole, OrganizationKind
from marketplace.kit.errors import Invalid

NAME_LENGTH_MAX = 200
EMAIL_LENGTH_MAX = 254
REASON_LENGTH_MAX = 1000
OPEN_CAPACITIES = frozenset({Capacity.PROVIDER, Capacity.BUYER})
GOVERNMENT_KINDS = frozenset({OrganizationKind.MUNICIPALITY, OrganizationKind.PUBLIC_BODY})

QUALIFIED_SINCE = date(2023, 10, 1)
"""The day on which invoice registration numbers (適格請求書発行事業者の登録番号) came into force."""

_CORPORATE_NUMBER = re.compile(r"[1-9][0-9]{12}", re.ASCII)
_INVOICE_NUMBER = re.compile(r"T([0-9]{13})", re.ASCII)
_GOVERNMENT_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_INDIVIDUAL_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)
_DIGITS_IN_GROUPS = re.compile(r"[0-9](?:[ .\-‐-―−ー]?[0-9])*", re.ASCII)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApplicationDraft:
    """What an organization says of itself when it asks to take part."""

    name_ja: str
    name_en: str
    kind: OrganizationKind
    capacities: frozenset[Capacity]
    corporate_number: str | None = None
    invoice_registration_number: str | None = None
    local_government_code: str | None = None


@dataclass(frozen=True, slots=True)
class MemberDraft:
    """A person who is to act for an organization; ``email`` may be absent."""

    name: str
    role: MemberRole
    email: str | None = None


def corporate_check_digit(base: str) -> int:
    """Return the first digit of a corporate number from its 12 others (法人番号, 1 to 9).

    Weights 1 and 2 alternate from the right; the digit is 9 minus the sum modulo 9
    (ordinance of the Ministry of Finance No. 70 of 2014, article 2).
    """
    total = sum(int(digit) * (1 if place % 2 else 2) for place, digit in enumerate(reversed(base), start=1))
    return 9 - total % 9


def is_corporate_number(number: str) -> bool:
    """Tell whether 13 digits are a corporate number with the right check digit."""
    return bool(_CORPORATE_NUMBER.fullmatch(number)) and int(number[0]) == corporate_check_digit(number[1:])


def government_check_digit(code: str) -> int:
    """Return the sixth digit of a local-government code from its 5 others (全国地方公共団体コード).

    Weights 6 to 2 from the left; 11 minus the sum modulo 11, of which the last digit counts.
    """
    total = sum(int(digit) * weight for digit, weight in zip(code, range(6, 1, -1), strict=True))
    return (11 - total % 11) % 10


def is_government_code(code: str) -> bool:
    """Tell whether 6 digits are a local-government code with the right check digit."""
    return bool(_GOVERNMENT_CODE.fullmatch(code)) and int(code[5]) == government_check_digit(code[:5])


def invoice_number_fault(number: str, kind: OrganizationKind, corporate_number: str | None) -> str | None:
    """Return what is wrong with an invoice registration number (登録番号), or None.

    A corporation's number is T and its corporate number. Special accounts of public bodies have
    numbers of their own, so that only the check digit is asked of them. Sole proprietors' numbers
    have no published check digit.
    """
    match = _INVOICE_NUMBER.fullmatch(number)
    if not match:
        return "must be T and 13 digits"
    if kind is OrganizationKind.OTHER and corporate_number is None:
        return None
    if not is_corporate_number(match[1]):
        return "must be T and a corporate number; the check digit is wrong"
    if kind is OrganizationKind.COMPANY and corporate_number not in {None, match[1]}:
        return "must be T and the organization's own corporate number"
    return None


def individual_check_digit(base: str) -> int:
    """Return the last digit of an individual number from its 11 others (個人番号).

    Weights 2 to 7 and 2 to 6 from the right; 11 minus the sum modulo 11, or 0 where that sum leaves 0 or 1
    (ordinance of the Ministry of Internal Affairs No. 85 of 2014, article 5).
    """
    total = sum(int(digit) * (place % 6 + 2) for place, digit in enumerate(reversed(base)))
    return 0 if total % 11 <= 1 else 11 - total % 11


def is_my_number(text: str) -> bool:
    """Tell whether a text is an individual number (My Number): 12 digits and the right check digit, however grouped."""
    digits = re.sub(r"[\s.\-‐-―−ー]", "", unicodedata.normalize("NFKC", text))
    return bool(_INDIVIDUAL_NUMBER.fullmatch(digits)) and int(digits[11]) == individual_check_digit(digits[:11])


def holds_my_number(text: str) -> bool:
    """Tell whether an individual number stands anywhere in a text, with no other digit before or after it."""
    found = _DIGITS_IN_GROUPS.findall(unicodedata.normalize("NFKC", text))
    return any(is_my_number(run) for run in found)


def is_within(day: date, first: date, last: date | None) -> bool:
    """Tell whether a day lies between two others, both included; ``last`` None means without end."""
    return first <= day and (last is None or day <= last)


def tidy(text: str) -> str:
    """Return the text in NFKC with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def text_fault(text: str, length_max: int = NAME_LENGTH_MAX) -> str | None:
    """Return what is wrong with a tidied text that people will read, or None."""
    if not text:
        return "must not be empty"
    if len(text) > length_max:
        return f"must have at most {length_max} characters"
    if any(unicodedata.category(character).startswith("C") for character in text):
        return "must not contain control, formatting or unassigned characters"
    return None


def english_name_fault(text: str) -> str | None:
    """Return what is wrong with a tidied English name, or None: it needs a letter that English readers can read."""
    fault = text_fault(text)
    if fault is None and not any("A" <= character.upper() <= "Z" for character in text):
        return "must be written in Latin letters"
    return fault


def checked_application(draft: ApplicationDraft) -> ApplicationDraft:
    """Return the draft with its texts tidied, or raise Invalid that names every field at fault."""
    refuse_my_numbers(
        {
            "name_ja": draft.name_ja,
            "name_en": draft.name_en,
            "corporate_number": draft.corporate_number,
            "invoice_registration_number": draft.invoice_registration_number,
            "local_government_code": draft.local_government_code,
        }
    )
    tidied = replace(
        draft,
        name_ja=tidy(draft.name_ja),
        name_en=tidy(draft.name_en),
        corporate_number=_tidy_or_none(draft.corporate_number),
        invoice_registration_number=_tidy_or_none(draft.invoice_registration_number),
        local_government_code=_tidy_or_none(draft.local_government_code),
    )
    refuse_faults(
        {
            "name_ja": text_fault(tidied.name_ja),
            "name_en": english_name_fault(tidied.name_en),
            "capacities": _capacities_fault(tidied.capacities),
            "corporate_number": _corporate_fault(tidied),
            "invoice_registration_number": _invoice_fault(tidied),
            "local_government_code": _government_fault(tidied),
        }
    )
    return tidied


def checked_member(draft: MemberDraft) -> MemberDraft:
    """Return the draft with its texts tidied, or raise Invalid that names every field at fault."""
    refuse_my_numbers({"name": draft.name, "email": draft.email})
    tidied = replace(draft, name=tidy(draft.name), email=_tidy_or_none(draft.email))
    refuse_faults({"name": text_fault(tidied.name), "email": email_fault(tidied.email)})
    return tidied


def checked_text(field: str, text: str, length_max: int = NAME_LENGTH_MAX) -> str:
    """Return a single text tidied, or raise Invalid that names its field."""
    refuse_my_numbers({field: text})
    tidied = tidy(text)
    refuse_faults({field: text_fault(tidied, length_max)})
    return tidied


def checked_email(email: str) -> str:
    """Return an e-mail address tidied, or raise Invalid."""
    refuse_my_numbers({"email": email})
    tidied = tidy(email)
    refuse_faults({"email": email_fault(tidied)})
    return tidied


def email_fault(email: str | None) -> str | None:
    """Return what is wrong with an e-mail address, or None; it may be absent."""
    if email is None or (len(email) <= EMAIL_LENGTH_MAX and _EMAIL.fullmatch(email)):
        return None
    return "must be an e-mail address, or absent"


def refuse_my_numbers(fields: Mapping[str, str | None]) -> None:
    """Raise MyNumberRefused where a field holds an individual number, which the law lets few take in (番号法)."""
    told = "holds what looks like an individual number (My Number, 個人番号)"
    errors = [{"pointer": f"/{field}", "detail": told} for field, text in fields.items() if holds_my_number(text or "")]
    if errors:
        raise MyNumberRefused(errors=errors)


def refuse_faults(faults: dict[str, str | None]) -> None:
    """Raise Invalid with one error for each field that has a fault."""
    errors = [{"pointer": f"/{field}", "detail": fault} for field, fault in faults.items() if fault]
    if errors:
        raise Invalid(errors=errors)


def _tidy_or_none(text: str | None) -> str | None:
    return (tidy(text) or None) if text is not None else None


def _capacities_fault(capacities: frozenset[Capacity]) -> str | None:
    if not capacities:
        return "must name at least one capacity"
    if Capacity.AUDITOR in capacities and len(capacities) > 1:
        return "an auditor must not take part in the trades it audits"
    return None


def _corporate_fault(draft: ApplicationDraft) -> str | None:
    if draft.corporate_number is None or is_corporate_number(draft.corporate_number):
        return None
    return "must be 13 digits of which the first is the check digit"


def _invoice_fault(draft: ApplicationDraft) -> str | None:
    if draft.invoice_registration_number is None:
        return None
    return invoice_number_fault(draft.invoice_registration_number, draft.kind, draft.corporate_number)


def _government_fault(draft: ApplicationDraft) -> str | None:
    code = draft.local_government_code
    if code is None:
        return "is required of a municipality" if draft.kind is OrganizationKind.MUNICIPALITY else None
    if draft.kind not in GOVERNMENT_KINDS:
        return "belongs to municipalities and public bodies alone"
    return None if is_government_code(code) else "must be 6 digits of which the last is the check digit"
