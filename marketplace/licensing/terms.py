"""Usage terms as typed values: the 15 trading-policy items of CADDE 4.0. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from marketplace.kit.labels import Labelled
from marketplace.licensing.data_policy import DataPolicy
from marketplace.licensing.states import (
    ContractType,
    DisclosureScope,
    ExpressWarranty,
    Fee,
    GoverningLaw,
    Nda,
    PeriodUnit,
    Template,
    Tracing,
    UseApplication,
)
from marketplace.privacy.states import PrivacyClass

C = TypeVar("C", bound=Labelled)
ANYWHERE = "noLimit"
_DAYS_MAX = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31, PeriodUnit.YEAR: 366}


@dataclass(frozen=True, slots=True)
class Choice(Generic[C]):
    """A code, and the words that go with it when the code is その他 (other)."""

    code: C
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPeriod:
    """Item 13080: from when until when the data hold, both days included, or a note instead."""

    start: date | None = None
    end: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LicencePeriod:
    """Item 13090: the last day of use, or a period from the day of purchase, or a note."""

    end: date | None = None
    value: int | None = None
    unit: PeriodUnit | None = None
    note: str | None = None

    @property
    def days_max(self) -> int | None:
        """The most days that a period from the day of purchase can last; None for the other kinds."""
        return self.value * _DAYS_MAX[self.unit] if self.value and self.unit else None


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Item 13120: from how much to how much, in yen before tax; no upper end where ``max_yen`` is None."""

    min_yen: int
    max_yen: int | None = None

    def __contains__(self, amount_yen: int) -> bool:
        return self.min_yen <= amount_yen and (self.max_yen is None or amount_yen <= self.max_yen)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTerms:
    """What a user may do with data; multi-valued items are in the order of their code list.

    ``template`` is not an item of CADDE: it names the standard text that the items restate, and two of
    the templates (CC BY 4.0, 政府標準利用規約2.0) are public licences whose text binds beside the items.
    Nor is ``tracing``, which stands in the document only where copies differ from the provider's file, nor
    ``data_policy``, which does where the user gets only a part of the data.
    """

    contract_type: ContractType
    nda: Nda
    use_application: tuple[Choice[UseApplication], ...]
    scope_of_disclosure: Choice[DisclosureScope]
    permissible_region: tuple[str, ...] = (ANYWHERE,)
    notices: str | None = None
    personal_data: Choice[PrivacyClass]
    data_effective_period: DataPeriod | None = None
    usage_license_period: LicencePeriod | None = None
    fee: Fee
    sales_info_url: str | None = None
    price_range: PriceRange | None = None
    notices_of_price: str | None = None
    express_warranty: tuple[Choice[ExpressWarranty], ...] = (Choice(ExpressWarranty.NONE),)
    legal_compliance: Choice[GoverningLaw] = Choice(GoverningLaw.JAPAN)
    template: Template = Template.CUSTOM
    tracing: Tracing = Tracing.MANIFEST
    data_policy: DataPolicy | None = None

    @property
    def closed(self) -> bool:
        """Whether the data may be passed on within a stated circle only."""
        return self.scope_of_disclosure.code not in {DisclosureScope.NO_LIMIT, DisclosureScope.INDIVIDUAL}


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number and CKAN extras key in CADDE 4.0, our field, and its labels."""

    number: int
    field: str
    extras_key: str
    ja: str
    en: str


ITEMS = (
    Item(13010, "contract_type", "trading_policy_contract_type", "契約形態", "Form of contract"),
    Item(13020, "nda", "trading_policy_nda", "秘密保持義務", "Confidentiality"),
    Item(13030, "use_application", "trading_policy_use_application", "利用用途", "Permitted purposes"),
    Item(13040, "scope_of_disclosure", "scope_of_disclosure", "開示範囲", "Scope of disclosure"),
    Item(13050, "permissible_region", "terms_of_use_permissible_region", "活用地域", "Region of use"),
    Item(13060, "notices", "terms_of_use_notices", "注意事項", "Notices"),
    Item(
        13070, "personal_data", "privacy_policy_contains_personal_data",
        "パーソナルデータ類別", "Class of personal data",
    ),
    Item(13080, "data_effective_period", "data_effective_period", "データ有効期間", "Validity of the data"),
    Item(13090, "usage_license_period", "usage_license_period", "利用ライセンス期限", "Term of the licence"),
    Item(13100, "fee", "fee", "有償無償", "Fee"),
    Item(13110, "sales_info_url", "sales_info_url", "販売情報URL", "Sales information"),
    Item(13120, "price_range", "pricing_price_range", "価格帯", "Price range"),
    Item(13130, "notices_of_price", "pricing_notices_of_price", "販売特記", "Notices on the price"),
    Item(13140, "express_warranty", "warranty_express_warranty", "明示保証", "Express warranty"),
    Item(13150, "legal_compliance", "warranty_legal_compliance", "準拠法", "Governing law"),
)  # fmt: skip
