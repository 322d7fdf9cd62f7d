"""Whole stories up to the point where a test begins: listed datasets, offers, paid orders, fetched bytes."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from marketplace.app import install
from marketplace.catalog import queries as catalog
from marketplace.catalog import service
from marketplace.catalog.states import ProfileState
from marketplace.exchange import balance, download, facilities, listing, payment, purchase
from marketplace.exchange.purchase import Purchase
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import Limits, OfferDraft, Price
from marketplace.licensing.rules import TermsDraft
from marketplace.licensing.states import PriceKind, ReleaseScope
from tests.factories.catalog import DatasetDraftFactory, profiled
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of
from tests.factories.licensing import per_mib

NAME = "人流.csv"
CONTENT = "日時,地点,人数\n2026-11-22T09:00,大通,120\n".encode()
REGISTRATION = "T9000020011002"
PROFILE = {"format": "CSV", "rows": 1, "columns": [{"name": "日時"}, {"name": "人数"}]}


@dataclass
class Listed:
    """A dataset of a provider, and its newest release."""

    provider: Actor
    dataset_id: str
    release_id: str


def party(**traits: object) -> Actor:
    """A verified organization with a client, kept."""
    with transaction():
        organization = OrganizationFactory(**traits)
        return actor_of(organization, ApiClientFactory(organization=organization))


def seller(*, registered: bool = True) -> Actor:
    """A provider, who charges consumption tax where it is registered."""
    return party(provider=True, invoice_registration_number=REGISTRATION if registered else None)


def buyer() -> Actor:
    """A buyer."""
    return party(buyer=True)


def release_of(provider: Actor, dataset_id: str, content: bytes = CONTENT, name: str = NAME) -> str:
    """Upload, profile and publish one more release with one file."""
    stored = listing.receive([content], None, None)
    with transaction():
        release = service.open_release(provider, dataset_id, secrets.token_hex(6))
        file = listing.attach(provider, release.id, name, "text/csv", stored)
        profiled(file.id, PROFILE, ProfileState.PROFILED)
        return listing.publish(provider, release.id).id


def listed(provider: Actor | None = None, content: bytes = CONTENT) -> Listed:
    """A published dataset with one release of one file."""
    provider = provider or seller()
    with transaction():
        dataset_id = service.register_dataset(provider, DatasetDraftFactory()).id
    return Listed(provider, dataset_id, release_of(provider, dataset_id, content))


def offer_draft(
    provider: Actor,
    dataset_id: str,
    kind: PriceKind = PriceKind.ONE_OFF,
    amount_yen: int = 5000,
    included_mib: int = 0,
    scope: ReleaseScope = ReleaseScope.CURRENT,
    price: Price | None = None,
    said: dict[str, Any] | None = None,
    **limits: int,
) -> OfferDraft:
    """A draft of an offer under terms of its own, in the open transaction.

    ``PER_UNIT`` is a price per MiB over the life of the grant; ``price`` states any other, ``said`` rails,
    shares, discounts and so on.
    """
    kind = price.kind if price else kind
    free = kind is PriceKind.FREE
    document = {"template": "standard-commercial", "notices": secrets.token_hex(4), "fee": "無償" if free else "有償"}
    terms = licensing.write_terms(provider, TermsDraft(document))
    if kind is PriceKind.PER_UNIT and price is None:
        price = per_mib(amount_yen, included_mib)
    else:
        price = price or Price(kind, 0 if free else amount_yen)
    return OfferDraft(dataset_id, terms.id, price, Limits(**limits), scope, **(said or {}))


def offered(on: Listed, *args: object, **kwargs: object) -> Offer:
    """An open offer of a dataset; arguments are those of ``offer_draft``."""
    with transaction():
        return listing.make_offer(on.provider, offer_draft(on.provider, on.dataset_id, *args, **kwargs))


def ordered(who: Actor, offer: Offer) -> Purchase:
    """Place an order, and take it to the payment page where it costs anything."""
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256)
    made = purchase.read(who, order_id)
    if made.payment is not None:
        payment.begin(made.payment.id)
    return purchase.read(who, order_id)


def visit(app, payment_of: Purchase, deed: str = "pay"):
    """Press a button on the sandbox's payment page; return the response."""
    return app.test_client().post(f"/sandbox/pay/{payment_of.payment.session_id}/{deed}")


def learn() -> None:
    """Let the exchange learn what the gateway knows, as if every webhook had been lost."""
    payment.backfill()
    payment.work_inbox()
    balance.reconcile()


def bought(app, who: Actor, offer: Offer) -> Purchase:
    """Order, pay where it costs anything, and have it fulfilled."""
    install(app)
    made = ordered(who, offer)
    if made.payment is not None:
        assert visit(app, made).status_code == 303
        learn()
    db.session.expire_all()
    return purchase.read(who, made.order.id)


def wanted(grant_id: str, name: str = NAME, method: str = "GET", **headers: str) -> download.Wanted:
    """What a client asks for; header names are written with underscores."""
    return download.Wanted(
        grant_id, name, None, method, {key.replace("_", "-"): value for key, value in headers.items()}
    )


def fetched(who: Actor, grant_id: str, acked: int | None = None, **headers: str) -> download.Answer:
    """Open a download, and report that the peer acknowledged ``acked`` bytes of it (all where absent)."""
    with transaction():
        answer = download.open_delivery(who, wanted(grant_id, **headers))
    if answer.delivery_id is not None:
        answer.file.close()
        came = answer.length if acked is None else min(acked, answer.length)
        download.close_delivery(answer.delivery_id, came, came, "complete" if came == answer.length else "broken")
    return answer


def opened_sha256() -> str:
    """The name of the usual content in the store."""
    return hashlib.sha256(CONTENT).hexdigest()


def newest_release(dataset_id: str) -> str:
    """The release that the public sees first."""
    return catalog.published_release_ids(dataset_id)[0]


def index():
    """The search index of the installation."""
    return facilities.current().index
