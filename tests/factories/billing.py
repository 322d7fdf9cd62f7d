"""Orders with the dataset, terms, offer and acceptance that they stand on; drafts of invoices and events."""

from datetime import date

import factory
from factory.alchemy import SQLAlchemyModelFactory

from marketplace.billing.invoices import InvoiceDraft, InvoiceLine, InvoiceParty
from marketplace.billing.models import Order, Payment
from marketplace.billing.orders import OrderDraft
from marketplace.billing.states import InvoiceKind
from marketplace.billing.tax import Quote
from marketplace.catalog.models import Dataset
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.states import PriceKind, Rail
from tests.factories.identity import OrganizationFactory
from tests.factories.licensing import price_said


class _Stored(SQLAlchemyModelFactory):
    class Meta:
        abstract = True
        sqlalchemy_session_factory = db.session
        sqlalchemy_session_persistence = "flush"


class TradedDatasetFactory(_Stored):
    """A dataset that somebody orders; what it holds does not matter here."""

    class Meta:
        model = Dataset

    class Params:
        provider = factory.SubFactory(OrganizationFactory)

    id = factory.LazyFunction(lambda: new_id("ds"))
    organization_id = factory.SelfAttribute("provider.id")
    state = "published"
    version = 1
    title_ja = factory.Sequence(lambda n: f"札幌市 人流データ{n}")
    title_en = factory.Sequence(lambda n: f"Sapporo people flow {n}")
    description_ja = "一時間ごとの人流"
    description_en = "Hourly people flow"
    themes = factory.LazyFunction(lambda: ["traffic"])
    region = "011002"
    language = "ja"
    contact_name = "札幌市 ICT戦略推進部"
    contact_url = ""
    contact_email = ""
    update_frequency = "DAILY"
    keywords = factory.LazyFunction(lambda: ["人流"])
    created_at = factory.LazyFunction(clock.now)
    updated_at = factory.LazyFunction(clock.now)
    published_at = factory.LazyFunction(clock.now)


class AcceptedTermsFactory(_Stored):
    """Usage terms by hash; their text does not matter here."""

    class Meta:
        model = Terms

    class Params:
        provider = factory.SubFactory(OrganizationFactory)

    id = factory.LazyFunction(lambda: new_id("trm"))
    organization_id = factory.SelfAttribute("provider.id")
    title_ja = "標準商用利用条件"
    title_en = "Standard commercial terms"
    template = "standard_commercial"
    document = factory.LazyFunction(dict)
    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    created_at = factory.LazyFunction(clock.now)


class OfferedFactory(_Stored):
    """An open one-off offer of 5,000 yen."""

    class Meta:
        model = Offer

    class Params:
        dataset = factory.SubFactory(TradedDatasetFactory)
        terms = factory.SubFactory(AcceptedTermsFactory)
        unit_yen = 300

    id = factory.LazyFunction(lambda: new_id("ofr"))
    dataset_id = factory.SelfAttribute("dataset.id")
    organization_id = factory.SelfAttribute("dataset.organization_id")
    terms_id = factory.SelfAttribute("terms.id")
    terms_sha256 = factory.SelfAttribute("terms.sha256")
    price_kind = PriceKind.ONE_OFF.value
    amount_yen = 5000
    price = factory.LazyAttribute(lambda new: price_said(new.price_kind, new.amount_yen, new.unit_yen))
    rails = factory.LazyAttribute(lambda new: [] if new.price_kind == "free" else ["card"])
    shares = factory.LazyAttribute(lambda new: [{"organization_id": new.organization_id, "basis_points": 10_000}])
    discounts = factory.LazyFunction(list)
    release_scope = "all"
    version = 1
    state = "open"
    created_at = factory.LazyFunction(clock.now)


class AcceptedFactory(_Stored):
    """A buyer's acceptance of terms."""

    class Meta:
        model = Acceptance

    class Params:
        buyer = factory.SubFactory(OrganizationFactory)
        terms = factory.SubFactory(AcceptedTermsFactory)

    id = factory.LazyFunction(lambda: new_id("acc"))
    organization_id = factory.SelfAttribute("buyer.id")
    terms_sha256 = factory.SelfAttribute("terms.sha256")
    accepted_at = factory.LazyFunction(clock.now)


class OrderFactory(_Stored):
    """An order of 5,000 yen and tax that awaits its payment; traits take it further."""

    class Meta:
        model = Order

    class Params:
        buyer = factory.SubFactory(OrganizationFactory)
        offer = factory.SubFactory(OfferedFactory)
        acceptance = factory.SubFactory(AcceptedFactory, buyer=factory.SelfAttribute("..buyer"))
        free = factory.Trait(
            price_kind=PriceKind.FREE.value, rail=None, amount_net_yen=0, amount_tax_yen=0, amount_gross_yen=0
        )
        paid = factory.Trait(state="paid", paid_at=factory.LazyFunction(clock.now))

    id = factory.LazyFunction(lambda: new_id("ord"))
    organization_id = factory.SelfAttribute("buyer.id")
    client_id = None
    provider_organization_id = factory.SelfAttribute("offer.organization_id")
    offer_id = factory.SelfAttribute("offer.id")
    dataset_id = factory.SelfAttribute("offer.dataset_id")
    acceptance_id = factory.SelfAttribute("acceptance.id")
    terms_sha256 = factory.SelfAttribute("offer.terms_sha256")
    price_kind = PriceKind.ONE_OFF.value
    rail = "card"
    list_net_yen = factory.SelfAttribute("amount_net_yen")
    deductions = factory.LazyFunction(list)
    amount_net_yen = 5000
    amount_tax_yen = 500
    amount_gross_yen = 5500
    tax_rate_basis_points = 1000
    state = "placed"
    created_at = factory.LazyFunction(clock.now)
    paid_at = None


class PaymentFactory(_Stored):
    """An attempt to pay 5,500 yen for an order."""

    class Meta:
        model = Payment

    class Params:
        order = factory.SubFactory(OrderFactory)

    id = factory.LazyFunction(lambda: new_id("pay"))
    order_id = factory.SelfAttribute("order.id")
    invoice_id = None
    amount_minor = 5500
    currency = "JPY"
    state = "created"
    gateway = "stripe"
    idempotency_key = factory.LazyAttribute(lambda new: f"checkout:{new.id}")
    created_at = factory.LazyFunction(clock.now)


class OrderDraftFactory(factory.Factory):
    """What the purchase story hands over: one offer, one acceptance, one quote."""

    class Meta:
        model = OrderDraft

    class Params:
        offer = factory.SubFactory(OfferedFactory)
        acceptance = factory.SubFactory(AcceptedFactory)

    provider_organization_id = factory.SelfAttribute("offer.organization_id")
    offer_id = factory.SelfAttribute("offer.id")
    dataset_id = factory.SelfAttribute("offer.dataset_id")
    acceptance_id = factory.SelfAttribute("acceptance.id")
    terms_sha256 = factory.SelfAttribute("offer.terms_sha256")
    price_kind = PriceKind.ONE_OFF
    quote = Quote(5000, 500, 1000)
    rail = Rail.CARD


class InvoiceLineFactory(factory.Factory):
    """105 yen before tax at 10 %."""

    class Meta:
        model = InvoiceLine

    description_ja = "札幌市 人流データ 利用料"
    description_en = "Sapporo people flow, licence"
    quantity = "1"
    unit = "件"
    unit_price_yen = 105
    amount_net_yen = 105
    tax_rate_basis_points = 1000


class InvoiceDraftFactory(factory.Factory):
    """Three lines of 105 yen for one month of usage, from a registered issuer."""

    class Meta:
        model = InvoiceDraft

    class Params:
        issuing = factory.SubFactory(OrganizationFactory)
        receiving = factory.SubFactory(OrganizationFactory)

    kind = InvoiceKind.USAGE
    idem = factory.Sequence(lambda n: f"usage:{n}:2026-11")
    issuer = factory.LazyAttribute(lambda new: party_of(new.issuing))
    registration_number = "T9000020011002"
    recipient = factory.LazyAttribute(lambda new: party_of(new.receiving))
    lines = factory.LazyFunction(lambda: tuple(InvoiceLineFactory.build_batch(3)))
    transaction_on = date(2026, 11, 30)
    period_from = date(2026, 11, 1)
    period_to = date(2026, 11, 30)


def party_of(organization: object) -> InvoiceParty:
    """The organization as an invoice names it."""
    return InvoiceParty(organization.id, organization.name_ja, organization.name_en)
