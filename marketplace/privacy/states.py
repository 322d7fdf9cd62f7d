"""How much of a person is in the data, and what must hold before it is listed."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class PrivacyClass(Labelled):
    """Item 13070 of the CADDE 4.0 catalogue (パーソナルデータ類別)."""

    NON_PERSONAL = "nonPersonalInformation", "非個人情報", "Non-personal information"
    PERSONAL_SENSITIVE = (
        "personalInformationSensitive",
        "個人情報(要配慮含む)",
        "Personal information, special-care-required included",
    )
    PERSONAL = (
        "personalInformation",
        "個人情報(要配慮含まない)",
        "Personal information without special-care-required information",
    )
    ANONYMISED = "anonymouslyProcessedInformation", "匿名加工情報", "Anonymously processed information"
    PSEUDONYMISED = "pseudonymouslyProcessedInformation", "仮名加工情報", "Pseudonymously processed information"
    DEIDENTIFIED = (
        "nonIdentifiableProcessedInformation",
        "非識別加工情報",
        "Non-identifiable processed information of administrative organs",
        "行政機関等匿名加工情報",
    )
    OTHER = "other", "その他", "Other"


class ListingCondition(Labelled):
    """What must hold, beside the class itself, while data of a class is offered."""

    SCAN_CLEAN = (
        "scanClean",
        "個人を識別し得る記述の検査に合格していること",
        "no description of an identifiable person is found by inspection",
    )
    PROCESSING_STANDARDS = (
        "processingStandards",
        "個人情報保護法施行規則第34条の加工基準を満たすこと",
        "the five processing standards of article 34 of the APPI enforcement rules are met",
    )
    ITEMS_PUBLISHED = (
        "itemsPublished",
        "含まれる情報の項目及び提供の方法をあらかじめ公表していること",
        "the items of information contained and the method of provision are published beforehand",
    )
    STATED_AS_ANONYMISED = (
        "statedAsAnonymised",
        "提供先に対し匿名加工された情報である旨を明示すること",
        "the recipient is told in writing that the information is anonymously processed",
    )
    NO_REIDENTIFICATION = (
        "noReidentification",
        "データ利用者は本人を識別する目的で他の情報と照合してはならないこと",
        "the recipient must not match the data with other information in order to identify a person",
    )


class FindingState(StrEnum):
    """How far a finding has come: ``answered`` waits for a second person; ``noted`` and ``settled`` stop nothing."""

    NOTED = "noted"
    OPEN = "open"
    ANSWERED = "answered"
    SETTLED = "settled"


class Answer(Labelled):
    """What a person of the provider says to a finding. What is removed from the file needs no answer any more."""

    FALSE_ALARM = "falseAlarm", "誤検知（個人に関する情報ではない）", "False alarm: it is not about a person"
    LAWFUL_BASIS = "lawfulBasis", "提供の法的根拠がある", "There is a lawful basis for providing it"


class Basis(Labelled):
    """On what personal information may go to a third party (Act on the Protection of Personal Information)."""

    CONSENT = "consent", "本人の同意", "Consent of each person"
    LAW = "law", "法令に基づく提供", "Provision on the basis of a law or ordinance"


class Standard(Labelled):
    """The five standards of processing of article 34 of the enforcement rules, each of which must be met."""

    IDENTIFIERS = (
        "identifiers",
        "特定の個人を識別できる記述等の削除・置換",
        "Identifying descriptions deleted",
    )
    CODES = "codes", "個人識別符号の削除・置換", "Individual identification codes deleted or replaced"
    LINKS = "links", "情報を相互に連結する符号の削除・置換", "Codes that link records deleted or replaced"
    OUTLIERS = "outliers", "特異な記述等の削除・置換", "Singular descriptions deleted or replaced"
    NATURE = "nature", "データベースの性質を踏まえたその他の措置", "Further measures after the nature of the data"
