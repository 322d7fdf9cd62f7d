"""What may be listed, by privacy class (Act on the Protection of Personal Information). Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from marketplace.identity.rules import REASON_LENGTH_MAX, checked_text
from marketplace.kit.errors import Invalid
from marketplace.kit.texts import is_storable
from marketplace.privacy.states import Basis, ListingCondition, PrivacyClass, Standard

ITEMS_MAX = 200
COLUMNS_MAX = 20
TEXT_MAX = 2_000
PERSONAL = frozenset({PrivacyClass.PERSONAL, PrivacyClass.PERSONAL_SENSITIVE})
PROCESSED = frozenset({PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED})

_ANONYMISED = (
    ListingCondition.PROCESSING_STANDARDS,
    ListingCondition.ITEMS_PUBLISHED,
    ListingCondition.STATED_AS_ANONYMISED,
    ListingCondition.NO_REIDENTIFICATION,
)
_CONDITIONS: dict[PrivacyClass, tuple[ListingCondition, ...]] = {
    PrivacyClass.NON_PERSONAL: (ListingCondition.SCAN_CLEAN,),
    PrivacyClass.ANONYMISED: _ANONYMISED,
    PrivacyClass.DEIDENTIFIED: _ANONYMISED,
}
_CONSENT = (
    "Personal information goes to third parties only with the consent of each person or on a legal basis, "
    "which the exchange keeps no record of."
)
_REFUSALS: dict[PrivacyClass, str] = {
    PrivacyClass.PERSONAL: _CONSENT,
    PrivacyClass.PERSONAL_SENSITIVE: _CONSENT
    + " Special-care-required information moreover needs consent given in advance.",
    PrivacyClass.PSEUDONYMISED: (
        "Pseudonymously processed information may be entrusted or used jointly, but never provided to third parties."
    ),
    PrivacyClass.OTHER: (
        "A class that the law does not name cannot be judged; state one of the named classes of personal data."
    ),
}


def listing_refusal(privacy_class: PrivacyClass) -> str | None:
    """Return why data of this class may not be listed, or None where it may."""
    return _REFUSALS.get(privacy_class)


def listing_conditions(privacy_class: PrivacyClass) -> tuple[ListingCondition, ...]:
    """Return what must hold while data of this class is offered; nothing for a class that may not be listed."""
    return _CONDITIONS.get(privacy_class, ())


@dataclass(frozen=True, slots=True)
class StatementDraft:
    """What a provider states of the people in a dataset.

    ``items`` are the items of information in anonymously processed data, and the methods say how it is provided: both
    are shown to everybody. By ``quasi_identifiers`` people might be told apart; ``sensitive_columns`` tell of them.
    """

    basis: str | None = None
    basis_reference: str = ""
    items: tuple[str, ...] = ()
    method_ja: str = ""
    method_en: str = ""
    standards: tuple[str, ...] = ()
    quasi_identifiers: tuple[str, ...] = ()
    sensitive_columns: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return the values as the table keeps them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def checked_reason(reason: str) -> str:
    """Return the reason of an answer tidied, or raise Invalid."""
    return checked_text("reason", reason, REASON_LENGTH_MAX)


def check_statement(draft: StatementDraft) -> None:
    """Refuse a statement that says nothing clear; raises Invalid, which names each field."""
    faults = {
        "basis": draft.basis is not None and draft.basis not in set(Basis) and "is no basis",
        "basis_reference": draft.basis is not None
        and not draft.basis_reference.strip()
        and "names the consent form, the law or the ordinance",
        "standards": not set(draft.standards) <= set(Standard) and "names a standard that there is not",
        "items": _list_fault(draft.items, ITEMS_MAX),
        "quasi_identifiers": _list_fault(draft.quasi_identifiers, COLUMNS_MAX),
        "sensitive_columns": _list_fault(draft.sensitive_columns, COLUMNS_MAX),
        "method_ja": bool(draft.items) and not draft.method_ja.strip() and "is needed beside the items",
        "method_en": bool(draft.items) and not draft.method_en.strip() and "is needed beside the items",
    }
    texts = ("basis_reference", "method_ja", "method_en")
    faults |= {name: "is too long" for name in texts if len(getattr(draft, name)) > TEXT_MAX}
    errors = [{"pointer": f"/{name}", "detail": str(fault)} for name, fault in faults.items() if fault]
    if errors or not is_storable(draft.basis_reference, draft.method_ja, draft.method_en):
        raise Invalid(errors=errors)


def _list_fault(values: tuple[str, ...], most: int) -> str:
    if len(values) > most:
        return f"holds at most {most} names"
    if len(set(values)) < len(values):
        return "names something twice"
    if not all(value.strip() and len(value) <= 200 and is_storable(value) for value in values):
        return "holds a name that is empty or too long"
    return ""


def is_published(items: list[str], methods: tuple[str, str], standards: list[str]) -> bool:
    """Whether a statement is what the law asks for before anonymously processed information is provided."""
    return bool(items) and all(methods) and set(standards) == set(Standard)
