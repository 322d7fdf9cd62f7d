"""Reputation: a listing shows what buyers say of it; of each provider is told monthly how its sales went."""

from datetime import date, timedelta
from typing import Any

from marketplace.catalog import listings
from marketplace.exchange import discovery, listing
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.kit import clock, jobs, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page
from marketplace.kit.transaction import transaction
from marketplace.metering.periods import following
from marketplace.reputation import queries, service
from marketplace.reputation.queries import Said
from marketplace.reputation.rules import RatingDraft


def rate(actor: Actor, dataset_id: str, draft: RatingDraft) -> Said:
    """Say what one thinks of a dataset that one bought; its listing shows it. Raises what ``service.rate`` raises."""
    # Strangers are told "not found" before they hold anything.
    service.require_buyer(actor, dataset_id)
    listings.stand_in_line(dataset_id)
    rating = service.rate(actor, dataset_id, draft)
    listing.refresh(dataset_id)
    return queries.show(actor, rating)


def withdraw(actor: Actor, dataset_id: str) -> None:
    """Take back what one said; raises NotFound."""
    if queries.find_own(actor, dataset_id) is None:
        raise NotFound
    listings.stand_in_line(dataset_id)
    service.withdraw(actor, dataset_id)
    listing.refresh(dataset_id)


def hide(actor: Actor, rating_id: str, reason: str) -> Said:
    """Hide a rating and count it no more; raises NotFound or Invalid."""
    dataset_id = queries.get_rating(rating_id).dataset_id
    listings.stand_in_line(dataset_id)
    rating = service.hide(actor, rating_id, reason)
    listing.refresh(dataset_id)
    return queries.show(actor, rating)


def unhide(actor: Actor, rating_id: str) -> Said:
    """Show a rating again, and count it; raises NotFound."""
    dataset_id = queries.get_rating(rating_id).dataset_id
    listings.stand_in_line(dataset_id)
    rating = service.unhide(actor, rating_id)
    listing.refresh(dataset_id)
    return queries.show(actor, rating)


def list_ratings(
    reader: Actor | None, dataset_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> tuple[Page[Said], dict[str, Any]]:
    """Return what is said of a dataset that the reader sees, and how it adds up; NotFound for all others."""
    discovery.read_listing(reader, dataset_id)
    page = queries.list_ratings(reader, dataset_id, cursor=cursor, size=size)
    return page, queries.summary(queries.stars_of(dataset_id))


def read_provider(organization_id: str) -> tuple[Organization, dict[str, Any]]:
    """Return a provider that has something listed to everybody, with what is told of it; NotFound for all others."""
    provider = queries.get_public_provider(organization_id)
    told = queries.find_standing(provider.id)
    stars = queries.summary(queries.stars_of_provider(provider.id))
    return provider, {"trust": provider.trust, "ratings": stars, "standing": told.document if told else None}


@jobs.task("reputation.publish", cron="17 20 * * *", slow=True)
def publish() -> None:
    """Tell of each provider how the last twelve months went, once their time has come; list anew what it changes."""
    last = _last_month(clock.today())
    with transaction():
        untold = queries.untold_providers(last)
    for provider_id in untold:
        with transaction():
            before = queries.find_standing(provider_id)
            is_news = service.tell(provider_id, last)
            after = queries.find_standing(provider_id)
        if is_news and after and (before is None or before.document["disputes"] != after.document["disputes"]):
            _list_anew(provider_id)


def _list_anew(provider_id: str) -> None:
    with transaction():
        shown = queries.public_dataset_ids(provider_id)
    for dataset_id in shown:
        with transaction():
            listings.stand_in_line(dataset_id)
            listing.refresh(dataset_id)


def _last_month(today: date) -> date:
    """Return the last month of which the register may tell: some days after its end, for late payments."""
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if today < following(month) + timedelta(days=settings.current().register_days):
        month = (month - timedelta(days=1)).replace(day=1)
    return month
