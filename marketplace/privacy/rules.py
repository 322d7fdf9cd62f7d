"""What may be listed, by privacy class (Act on the Protection of Personal Information). Pure."""

from marketplace.privacy.states import ListingCondition, PrivacyClass

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
