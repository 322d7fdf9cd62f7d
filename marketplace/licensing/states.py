"""The code lists of usage terms (CADDE 4.0, items 13010 to 13150) and the states of offers."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class ContractType(Labelled):
    """Item 13010, 契約形態: the sub-types of data provision in the METI contract guideline."""

    TRANSFER = "transfer", "譲渡", "Transfer"
    LICENCE = "license", "利用許諾", "Licence"
    JOINT_USE = "jointUse", "共同利用", "Joint use"


class Nda(Labelled):
    """Item 13020, 秘密保持義務: whether the data must be kept confidential."""

    REQUIRED = "required", "求める", "Required"
    NOT_REQUIRED = "notRequired", "求めない", "Not required"


class UseApplication(Labelled):
    """Item 13030, 利用用途: the purposes that are permitted."""

    NO_LIMIT = "noLimit", "制限なし", "No limit"
    COMMERCIAL = "commercial", "商用", "Commercial", "商用利用"
    RESEARCH = "research", "研究", "Research", "研究利用"
    EDUCATION = "education", "教育", "Education", "教育利用"
    PUBLIC = "public", "公共", "Public benefit", "公共利用"
    MEDICAL = "medical", "医業", "Medical practice", "医業利用"
    INDIVIDUAL = "individual", "個別調整", "As agreed individually"
    OTHER = "other", "その他", "Other"


class DisclosureScope(Labelled):
    """Item 13040, 開示範囲: to whom the user may pass the data on."""

    NO_LIMIT = "noLimit", "制限なし", "No limit"
    PERSON_IN_CHARGE = "personInCharge", "担当者限り", "Persons in charge only"
    DEPARTMENT = "ownDepartment", "自部門", "Own department"
    COMPANY = "ownCompany", "自社", "Own company"
    GROUP = "groupCompanies", "グループ会社", "Group companies"
    INDIVIDUAL = "individual", "個別相談", "As agreed individually"
    OTHER = "other", "その他", "Other"


class Fee(Labelled):
    """Item 13100, 有償無償: whether the data cost anything."""

    FREE = "free", "無償", "Free of charge"
    PAID = "paid", "有償", "For a fee"


class ExpressWarranty(Labelled):
    """Item 13140, 明示保証: what the provider warrants in so many words."""

    NONE = "noParticular", "特になし", "None in particular"
    CONSENT = (
        "consentObtained",
        "本人同意あり",
        "The consent of the persons concerned was obtained",
        "データ主体となる個人の本人同意が得られている",
    )
    INSTRUMENT = "certifiedInstrument", "測定機器が公的検定", "The measuring instruments are officially certified"
    RIGHTS_CLEARED = (
        "thirdPartyRightsCleared",
        "第三者DB著作物のライセンス処理済",
        "Third-party database rights and copyrights are licensed",
    )
    OTHER = "other", "その他", "Other"


class GoverningLaw(Labelled):
    """Item 13150, 準拠法: the law under which the terms are read."""

    JAPAN = "JP", "日本", "Japan", "日本法"
    OTHER = "other", "その他", "Other"


class Tracing(Labelled):
    """How a provider may tell whose copy of the data has leaked; no item of CADDE."""

    MANIFEST = "manifest", "受領証のみ", "Receipts alone"
    ROW_ORDER = "row_order", "行の並び順", "Order of rows"
    CANARY = "canary", "識別用の行", "Marker rows"


class Treatment(Labelled):
    """What is done to a column of a table before it leaves; no item of CADDE."""

    OMIT = "omit", "除外", "left out"
    HASH = "hash", "鍵付きハッシュ", "replaced by a keyed hash"
    TRUNCATE = "truncate", "切詰め", "cut"


class Comparison(Labelled):
    """What a column of a row must be for the row to be given: the operators of the row API."""

    EQ = "eq", "が次に等しい", "equals"
    NE = "ne", "が次と異なる", "differs from"
    LT = "lt", "が次より小さい", "is less than"
    LE = "le", "が次以下", "is at most"
    GT = "gt", "が次より大きい", "is greater than"
    GE = "ge", "が次以上", "is at least"
    IN = "in", "が次のいずれか", "is one of"
    PREFIX = "prefix", "が次で始まる", "begins with"
    IS_NULL = "is_null", "に値がない", "has no value"
    NOT_NULL = "not_null", "に値がある", "has a value"


class PeriodUnit(Labelled):
    """The unit in which a licence period is counted."""

    DAY = "day", "日間", "day(s)", "日"
    WEEK = "week", "週間", "week(s)", "週"
    MONTH = "month", "か月間", "month(s)", "か月", "ヶ月", "月"
    YEAR = "year", "年間", "year(s)", "年"


class Template(Labelled):
    """The ready-made terms that a provider starts from; ``custom`` where there is none."""

    CUSTOM = "custom", "個別", "Custom"
    COMMERCIAL = "standard-commercial", "標準商用", "Standard commercial"
    RESEARCH = "research", "研究・教育", "Research and education"
    PUBLIC_INTEREST = "public-interest", "公益", "Public interest"
    TRIAL = "trial", "試用", "Trial"
    CC_BY = (
        "cc-by-4.0",
        "クリエイティブ・コモンズ 表示 4.0 国際",
        "Creative Commons Attribution 4.0 International",
        "CC BY 4.0",
    )
    JAPAN_GOVERNMENT = "gjstu-2.0", "政府標準利用規約(第2.0版)", "Government of Japan Standard Terms of Use 2.0"


class OfferState(StrEnum):
    """Whether an offer can still be bought."""

    OPEN = "open"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class PriceKind(Labelled):
    """How a price is counted."""

    FREE = "free", "無料", "Free"
    ONE_OFF = "one_off", "一括", "One-off"
    SUBSCRIPTION = "subscription", "定期", "Subscription, in advance"
    PER_UNIT = "per_unit", "従量", "Per unit used"
    GRADUATED = "graduated", "段階従量", "Graduated: each tier at its own unit price"
    VOLUME = "volume", "数量従量", "Volume: all units at the unit price of the tier reached"
    PACKAGE = "package", "パッケージ", "Per package begun"


class UsageUnit(Labelled):
    """What a metered price counts."""

    MIB = "mib", "MiB", "MiB"
    ROW = "row", "行", "row"
    REQUEST = "request", "リクエスト", "request"
    DOWNLOAD = "download", "ダウンロード", "download"


class DownloadDue(Labelled):
    """When a download falls due where a price counts those: of one content, whatever it took to fetch it."""

    FIRST_BYTE = "first_byte", "最初の1バイトの受領時", "At the first byte received"
    FULL_COVERAGE = "full_coverage", "全体の受領時", "When it has been received in full"


class BillingPeriod(Labelled):
    """Over what a metered price counts its tiers, included units, minimum and maximum."""

    MONTH = "month", "暦月", "Calendar month in Japan"
    GRANT = "grant", "利用権の全期間", "The whole life of the grant"


class DiscountClass(Labelled):
    """Whom a provider may grant a discount, on evidence that the operator has judged."""

    PUBLIC_INTEREST = "public_interest", "公益利用", "Public interest"
    ACADEMIC = "academic", "学術利用", "Academic"
    SME = "sme", "中小企業", "Small and medium-sized enterprise"
    SAME_CITY = "same_city", "市内事業者", "Based in the same city"


class Rail(Labelled):
    """A way to pay (決済手段) that a provider may choose for an offer; what costs nothing needs none."""

    CARD = "card", "カード", "Card"
    KONBINI = "konbini", "コンビニ払い", "Convenience store"
    BANK_TRANSFER = "bank_transfer", "銀行振込(前払い)", "Bank transfer in advance"
    INVOICE = "invoice", "請求書払い(後払い)", "Invoice, paid afterwards"
    OUTSIDE = "outside", "取引所外払い(納付書)", "Paid outside the exchange, by payment slip"


class ReleaseScope(Labelled):
    """Which releases a grant under the offer covers: the one current at purchase, or all of them."""

    CURRENT = "current", "購入時の最新版", "The release current at purchase"
    ALL = "all", "全ての版", "All releases, present and future"


LEGAL_MOVES = {
    OfferState.OPEN: {OfferState.SUPERSEDED, OfferState.WITHDRAWN},
    OfferState.SUPERSEDED: set(),
    OfferState.WITHDRAWN: set(),
}


class Cancellation(Labelled):
    """Whether a buyer may give up what is paid before its time is over, and what comes back then."""

    NONE = "none", "支払済みの期間の途中解約による返金はしない。", "Nothing is given back before the paid time is over."
    PRO_RATA = (
        "pro_rata",
        "購入者はいつでも解約でき、未使用の日数分の代金を日割り(円未満切捨て)で返金する。",
        "The buyer may cancel at any time; the price of unused days is given back, whole yen rounded down.",
    )
