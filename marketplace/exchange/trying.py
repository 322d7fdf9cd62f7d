"""Trying: what a provider lets each buyer try once → a free offer for this buyer alone, ordered and closed at once."""

from marketplace.access import trials
from marketplace.access.trial_models import TrialPolicy
from marketplace.access.trials import TrialDraft
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.exchange import discovery, listing, policing, purchase
from marketplace.exchange.errors import OwnOffer
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.licensing import service as licensing
from marketplace.licensing.offers import Limits, OfferDraft
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, ReleaseScope


def offer(actor: Actor, dataset_id: str, draft: TrialDraft) -> TrialPolicy:
    """Let each buyer try a dataset once, and show so where it is listed.

    Raises NotFound, DatasetWithdrawn, PrivacyClassNotListable, PolicyNotEnforceable, or Invalid where the terms ask for
    money or last shorter.
    """
    listings.stand_in_line(catalog.get_own_dataset(actor, dataset_id).id)
    trials.check(draft)
    terms = licensing.require_offerable(actor, _offer(dataset_id, draft))
    policing.require_enforceable(dataset_id, terms.id)
    policy = trials.offer(actor, dataset_id, draft, terms)
    listing.refresh(dataset_id)
    return policy


def end(actor: Actor, dataset_id: str) -> None:
    """Let nobody try a dataset any more; raises NotFound."""
    listings.stand_in_line(catalog.get_own_dataset(actor, dataset_id).id)
    trials.end(actor, dataset_id)
    listing.refresh(dataset_id)


def take(actor: Actor, dataset_id: str, accepted_sha256: str) -> str:
    """Try a dataset: accept the terms of its trial, and get a grant for its days and bytes; returns the order's id.

    The trial is pinned to the newest release. The offer is closed in the transaction that orders it, so that nobody
    orders it twice. Raises NotFound to whoever does not see the dataset, OwnOffer, TriedAlready, and what ordering
    raises.
    """
    discovery.read_listing(actor, dataset_id)
    policy = trials.lock_policy(dataset_id)
    if policy.organization_id == actor.organization_id:
        raise OwnOffer
    trials.begin(actor, policy)
    provider = on_behalf_of(policy.organization_id)
    draft = TrialDraft(policy.terms_id, policy.duration_days, policy.quota_bytes)
    made = licensing.make_offer(provider, _offer(dataset_id, draft, actor.organization_id))
    policing.require_enforceable(dataset_id, made.terms_id)
    order_id = purchase.place_order(actor, made.id, accepted_sha256)
    licensing.withdraw_offer(provider, made.id)
    trials.note_order(actor, policy, order_id)
    return order_id


def _offer(dataset_id: str, draft: TrialDraft, buyer_organization_id: str | None = None) -> OfferDraft:
    return OfferDraft(
        dataset_id=dataset_id,
        terms_id=draft.terms_id,
        price=Price(PriceKind.FREE),
        limits=Limits(duration_days=draft.duration_days, quota_bytes=draft.quota_bytes),
        release_scope=ReleaseScope.CURRENT,
        buyer_organization_id=buyer_organization_id,
    )
