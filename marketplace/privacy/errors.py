"""What privacy refuses."""

from marketplace.kit.errors import Invalid


class PrivacyClassNotListable(Invalid):
    """Data of this privacy class may not be offered to third parties here."""

    slug = "privacy-class-not-listable"
    title, title_ja = "Privacy class may not be listed", "この類別のデータは出品できません"
    cause = "Data of the stated privacy class may not be provided to third parties through the exchange."
    cure = "Provide anonymously processed or non-personal data, and state its class in the terms."
    cause_ja = "示された区分のパーソナルデータは、この取引所を通じて第三者に提供できません。"
    cure_ja = "匿名加工情報または非個人情報を提供し、その区分を利用条件に示してください。"
