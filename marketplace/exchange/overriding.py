"""Overriding: what an operator does to others' trades, by two people where the exchange is set to ask for two."""

from collections.abc import Callable
from typing import Any

from marketplace.billing import queries as billing
from marketplace.exchange import correcting, refund, withdrawal
from marketplace.exchange.refund import Why
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.joining import approving
from marketplace.identity.overrides import queries, service
from marketplace.identity.overrides.errors import OverrideNeedsTwo
from marketplace.identity.overrides.models import Override
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.states import Capacity, OrganizationState
from marketplace.kit import settings
from marketplace.metering import queries as metering
from marketplace.metering.corrections import Correction


def propose(actor: Actor, deed: OverrideDeed, about: str, arguments: dict[str, Any], reason: str) -> Override:
    """Propose an override of something that there is; raises NotFound or Invalid."""
    _SELLERS[deed](actor, about)
    return service.propose(actor, deed, about, arguments, reason)


def carry_out(actor: Actor, override_id: str) -> Override:
    """Approve another's proposal and do it, in one transaction with everything that it causes.

    Raises NotFound, OverrideOver, SamePerson, ProposerBarred, and what the deed refuses: the proposal is then as open
    as before.
    """
    override = service.approve(actor, override_id)
    _DEEDS[OverrideDeed(override.deed)](actor, override)
    return queries.get_override(override_id)


def refuse_alone(actor: Actor, deed: OverrideDeed, about: str) -> None:
    """Refuse a deed to an operator who does it alone to another's trade; raises OverrideNeedsTwo or NotFound.

    Sellers give back and correct what they sold by themselves, and so does an operator that is the seller.
    """
    if not settings.current().two_person_overrides or Capacity.OPERATOR not in actor.capacities:
        return
    if _SELLERS[deed](actor, about) != actor.organization_id:
        raise OverrideNeedsTwo


def _refund(actor: Actor, override: Override) -> None:
    given = override.arguments
    why = Why(f"override:{override.id}", note=given["note"], ends_access=given["ends_access"])
    refund.request_refund(actor, override.about, given.get("amount_yen"), why)


def _correct(actor: Actor, override: Override) -> None:
    correcting.correct(actor, override.about, Correction(**override.arguments))


def _reinstate(actor: Actor, override: Override) -> None:
    # Judged like any other yes, so that an application that was never assessed does not pass this way.
    approving.approve(actor, override.about, override.reason)


def _seller(actor: Actor, invoice_id: str) -> str | None:
    return withdrawal.provider_of(billing.get_invoice(actor, invoice_id))


def _provider(actor: Actor, delivery_id: str) -> str | None:
    return metering.get_delivery(actor, delivery_id).provider_organization_id


def _suspended(actor: Actor, organization_id: str) -> str | None:
    """Return nobody for an organization that is suspended, and the caller for one that applies: that is a judgement.

    Held until the transaction ends, so that one that is suspended at this moment is waited for.
    """
    organization = identity.lock_visible_organization(actor, organization_id)
    return None if organization.state == OrganizationState.SUSPENDED.value else actor.organization_id


_DEEDS: dict[OverrideDeed, Callable[[Actor, Override], None]] = {
    OverrideDeed.REFUND: _refund,
    OverrideDeed.CORRECTION: _correct,
    OverrideDeed.REINSTATEMENT: _reinstate,
}
_SELLERS: dict[OverrideDeed, Callable[[Actor, str], str | None]] = {
    OverrideDeed.REFUND: _seller,
    OverrideDeed.CORRECTION: _provider,
    OverrideDeed.REINSTATEMENT: _suspended,
}
