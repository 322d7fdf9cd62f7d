"""Grants, and the shortest way to everything that must be there first."""

import hashlib
from datetime import timedelta

import factory
from sqlalchemy import update

from marketplace.access.models import Grant, GrantRelease
from marketplace.access.rules import GrantDraft
from marketplace.billing.models import Order
from marketplace.catalog.models import Dataset, File, Release
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.models import Acceptance, Offer, Terms
from tests.factories.identity import OrganizationFactory, _Stored
from tests.factories.licensing import price_said

TERMS_SHA256 = hashlib.sha256("標準利用規約".encode()).hexdigest()


class SoldDatasetFactory(_Stored):
    """A published dataset, as far as access cares."""

    class Meta:
        model = Dataset

    class Params:
        provider = factory.SubFactory(OrganizationFactory, provider=True)

    id = factory.LazyFunction(lambda: new_id("ds"))
    organization_id = factory.SelfAttribute("provider.id")
    state = "published"
    version = 1
    title_ja = factory.Sequence(lambda n: f"観光地の人流{n}")
    title_en = ""
    description_ja = description_en = ""
    themes = factory.LazyFunction(lambda: ["tourism"])
    region = "011002"
    language = "ja"
    contact_name = contact_url = contact_email = ""
    update_frequency = "monthly"
    keywords = factory.LazyFunction(list)
    created_at = updated_at = published_at = factory.LazyFunction(clock.now)


def release_with(dataset_id, files, published_at=None):
    """Publish a release that holds the files {name: content}; return its id."""
    release_id, at = new_id("rel"), published_at or clock.now()
    label = release_id[-12:]
    db.session.add(Release(id=release_id, dataset_id=dataset_id, label=label, notes="", state="draft", created_at=at))
    db.session.flush()
    for name, content in files.items():
        db.session.add(
            File(
                id=new_id("fil"),
                release_id=release_id,
                name=name,
                name_key=name,
                media_type="text/csv",
                sha256=hashlib.sha256(content).hexdigest(),
                size_bytes=len(content),
                received_at=at,
                profile_state="opaque",
            )
        )
    db.session.flush()
    db.session.execute(update(Release).where(Release.id == release_id).values(state="published", published_at=at))
    return release_id


class OfferOnFactory(_Stored):
    """A free offer of a dataset."""

    class Meta:
        model = Offer

    class Params:
        dataset = factory.SubFactory(SoldDatasetFactory)
        unit_yen = 300

    id = factory.LazyFunction(lambda: new_id("ofr"))
    dataset_id = factory.SelfAttribute("dataset.id")
    organization_id = factory.SelfAttribute("dataset.organization_id")
    terms_id = factory.LazyAttribute(lambda new: _terms_of(new.dataset.organization_id))
    terms_sha256 = TERMS_SHA256
    price_kind = "free"
    amount_yen = 0
    price = factory.LazyAttribute(lambda new: price_said(new.price_kind, new.amount_yen, new.unit_yen))
    rails = factory.LazyAttribute(lambda new: [] if new.price_kind == "free" else ["card"])
    shares = factory.LazyAttribute(lambda new: [{"organization_id": new.organization_id, "basis_points": 10_000}])
    discounts = factory.LazyFunction(list)
    release_scope = "current"
    version = 1
    state = "open"
    created_at = factory.LazyFunction(clock.now)


def _terms_of(organization_id):
    found = db.session.query(Terms).filter_by(organization_id=organization_id).first()
    return (found or TermsOfFactory(organization_id=organization_id)).id


class TermsOfFactory(_Stored):
    """Terms of a provider, as far as access cares."""

    class Meta:
        model = Terms

    id = factory.LazyFunction(lambda: new_id("trm"))
    organization_id = factory.LazyFunction(lambda: OrganizationFactory(provider=True).id)
    title_ja = "標準利用規約"
    title_en = "Standard terms"
    template = "standard"
    document = factory.LazyFunction(dict)
    sha256 = TERMS_SHA256
    created_at = factory.LazyFunction(clock.now)


class AcceptanceOfFactory(_Stored):
    """That a buyer accepted the terms."""

    class Meta:
        model = Acceptance

    id = factory.LazyFunction(lambda: new_id("acc"))
    organization_id = factory.LazyFunction(lambda: OrganizationFactory(buyer=True).id)
    terms_sha256 = TERMS_SHA256
    accepted_at = factory.LazyFunction(clock.now)


class PaidOrderFactory(_Stored):
    """A paid order of an offer."""

    class Meta:
        model = Order

    class Params:
        offer = factory.SubFactory(OfferOnFactory)
        buyer = factory.SubFactory(OrganizationFactory, buyer=True)

    id = factory.LazyFunction(lambda: new_id("ord"))
    organization_id = factory.SelfAttribute("buyer.id")
    provider_organization_id = factory.SelfAttribute("offer.organization_id")
    offer_id = factory.SelfAttribute("offer.id")
    dataset_id = factory.SelfAttribute("offer.dataset_id")
    acceptance_id = factory.LazyAttribute(lambda new: _acceptance_of(new.buyer.id))
    terms_sha256 = TERMS_SHA256
    price_kind = "free"
    list_net_yen = amount_net_yen = amount_tax_yen = amount_gross_yen = 0
    tax_rate_basis_points = 1000
    trial_days = factory.LazyAttribute(lambda new: new.offer.price.get("trial_days", 0))
    state = "paid"
    created_at = paid_at = factory.LazyFunction(clock.now)


def _acceptance_of(organization_id):
    found = db.session.query(Acceptance).filter_by(organization_id=organization_id).first()
    return (found or AcceptanceOfFactory(organization_id=organization_id)).id


class GrantFactory(_Stored):
    """A live grant without end; traits end it."""

    class Meta:
        model = Grant

    class Params:
        order = factory.SubFactory(PaidOrderFactory)
        expired = factory.Trait(expires_at=factory.LazyAttribute(lambda new: new.starts_at + timedelta(hours=1)))
        revoked = factory.Trait(
            state="revoked", revoked_at=factory.LazyFunction(clock.now), revoked_reason="契約違反のため"
        )

    id = factory.LazyFunction(lambda: new_id("grt"))
    organization_id = factory.SelfAttribute("order.organization_id")
    provider_organization_id = factory.SelfAttribute("order.provider_organization_id")
    order_id = factory.SelfAttribute("order.id")
    offer_id = factory.SelfAttribute("order.offer_id")
    dataset_id = factory.SelfAttribute("order.dataset_id")
    acceptance_id = factory.SelfAttribute("order.acceptance_id")
    terms_sha256 = factory.SelfAttribute("order.terms_sha256")
    release_scope = "current"
    state = "active"
    starts_at = factory.LazyFunction(lambda: clock.now() - timedelta(days=1))
    expires_at = None

    @factory.post_generation
    def releases(self, create, release_ids, **_):
        """Open these releases."""
        db.session.add_all(GrantRelease(grant_id=self.id, release_id=release_id) for release_id in release_ids or ())
        db.session.flush()


def draft_of(order, **changes):
    """What fulfilling the order would issue."""
    facts = {
        "order_id": order.id,
        "organization_id": order.organization_id,
        "provider_organization_id": order.provider_organization_id,
        "offer_id": order.offer_id,
        "dataset_id": order.dataset_id,
        "acceptance_id": order.acceptance_id,
        "terms_sha256": order.terms_sha256,
        "release_scope": "current",
        "release_ids": (),
    }
    return GrantDraft(**facts | changes)
