"""Grants at a price, of one buyer, to be counted against its budgets."""

from datetime import timedelta
from typing import Any

from marketplace.access.models import Grant
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.licensing.prices import Price, price_document
from tests.factories.access import OfferOnFactory, PaidOrderFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import granted


def buying() -> tuple[Organization, Actor]:
    """A buyer, and the same before a service."""
    organization = OrganizationFactory(buyer=True)
    return organization, actor_of(organization)


def grant_at(price: Price, buyer: Organization, *deductions: dict[str, object], **facts: Any) -> Grant:
    """A grant of this buyer whose order took something off, with its accounting open."""
    offer = OfferOnFactory(
        price_kind=price.kind.value,
        amount_yen=price.amount_yen,
        price=price_document(price),
        rails=["invoice"] * price.is_metered,
    )
    order = PaidOrderFactory(
        offer=offer,
        buyer=buyer,
        price_kind=price.kind.value,
        deductions=list(deductions),
        trial_days=price.trial_days,
    )
    facts = {"starts_at": clock.now() - timedelta(days=1), "download_due": price.falls_due} | facts
    return granted(order=order, **facts)
