"""What privacy refuses."""

from marketplace.kit.errors import Invalid


class PrivacyClassNotListable(Invalid):
    """Data of this privacy class may not be offered to third parties here."""

    slug = "privacy-class-not-listable"
    title, title_ja = "Privacy class may not be listed", "この類別のデータは出品できません"
    cause = "Data of the stated privacy class may not be provided to third parties through the exchange."
    cure = "Provide anonymously processed or non-personal data, and state its class in the terms."
