"""Terms, prices, offers, and the parties and dataset that they need."""

from decimal import Decimal
from typing import Any

import factory

from marketplace.catalog import service as catalog
from marketplace.catalog.models import Dataset
from marketplace.catalog.rules import DatasetDraft
from marketplace.identity.actors import Actor
from marketplace.licensing import service as licensing
from marketplace.licensing.models import Offer, Terms
from marketplace.licensing.prices import price_document
from marketplace.licensing.rules import Limits, OfferDraft, Price, TermsDraft
from marketplace.licensing.states import BillingPeriod, PriceKind, UsageUnit
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of

# All 15 items, in the Japanese words that CADDE stores.
FULL = {
    "contract_type": "利用許諾",
    "nda": "求める",
    "use_application": ["研究", "教育", "その他（防災計画の策定）"],
    "scope_of_disclosure": "グループ会社",
    "permissible_region": ["北海道", "JP-13"],
    "notices": "利用状況の報告義務あり",
    "personal_data": "非個人情報",
    "data_effective_period": {"kind": "startEndDate", "start": "2026-04-01", "end": "2036-03-31"},
    "usage_license_period": {"kind": "endDate", "end": "2036-03-31"},
    "fee": "有償",
    "sales_info_url": "https://data.example.jp/販売/人流",
    "price_range": {"min_yen": 1_000, "max_yen": 50_000},
    "notices_of_price": "長期契約は優待価格とする",
    "express_warranty": ["測定機器が公的検定", "第三者DB著作物のライセンス処理済"],
    "legal_compliance": "日本",
}


def per_mib(unit_yen: int | str = 300, included_units: int = 0, **more: object) -> Price:
    """A price per MiB delivered, by default counted over the whole life of the grant."""
    fields: dict[str, Any] = {"period": BillingPeriod.GRANT} | more
    return Price(
        PriceKind.PER_UNIT, unit=UsageUnit.MIB, unit_yen=Decimal(unit_yen), included_units=included_units, **fields
    )


def price_said(kind: str, amount_yen: int, unit_yen: int | str = 300) -> dict[str, Any]:
    """The document of a price of a simple kind."""
    simple = kind in {"free", "one_off"}
    return price_document(Price(PriceKind(kind), amount_yen) if simple else per_mib(unit_yen))


class TermsDraftFactory(factory.Factory):
    """Standard commercial terms, each with a notice of its own."""

    class Meta:
        model = TermsDraft

    class Params:
        items = factory.LazyFunction(dict)
        number = factory.Sequence(int)

    document = factory.LazyAttribute(
        lambda new: {
            "template": "standard-commercial",
            "notices": f"第{new.number}号の利用条件",
            **new.items,
        }
    )


class PriceFactory(factory.Factory):
    """A one-off price."""

    class Meta:
        model = Price

    kind = PriceKind.ONE_OFF
    amount_yen = 5_000


class OfferDraftFactory(factory.Factory):
    """A one-off offer without limits."""

    class Meta:
        model = OfferDraft

    price = factory.SubFactory(PriceFactory)
    limits = factory.LazyFunction(Limits)


def provider() -> Actor:
    """A verified provider before a service."""
    organization = OrganizationFactory(provider=True)
    return actor_of(organization, ApiClientFactory(organization=organization))


def buyer() -> Actor:
    """A verified buyer before a service."""
    organization = OrganizationFactory(buyer=True)
    return actor_of(organization, ApiClientFactory(organization=organization))


def dataset_of(actor: Actor) -> Dataset:
    """A dataset of the provider."""
    return catalog.register_dataset(
        actor, DatasetDraft(title_ja="大通公園の人流", title_en="People flow in Odori Park")
    )


def terms_of(actor: Actor, **items: object) -> Terms:
    """Terms of the provider, commercial with the items changed."""
    return licensing.write_terms(actor, TermsDraftFactory(items=items))


def draft_for(actor: Actor, **fields: object) -> OfferDraft:
    """A draft of an offer by the provider, with a dataset and terms where none are given."""
    fields.setdefault("dataset_id", None)
    fields.setdefault("terms_id", None)
    fields["dataset_id"] = fields["dataset_id"] or dataset_of(actor).id
    fields["terms_id"] = fields["terms_id"] or terms_of(actor).id
    return OfferDraftFactory(**fields)


def offer_of(actor: Actor, **fields: object) -> Offer:
    """An open offer of the provider."""
    return licensing.make_offer(actor, draft_for(actor, **fields))
