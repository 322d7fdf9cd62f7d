"""Deeds of oversight, each made ready to be done: incidents, overrides, holds, cases, erasure, publishing and looks."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial

from flask import Flask

from marketplace.audit import holds
from marketplace.audit.cases import service as cases
from marketplace.disclosure import service as register
from marketplace.disclosure.annual import publishing
from marketplace.exchange import holding, overriding
from marketplace.exchange import incident as incidents
from marketplace.identity import looking, members
from marketplace.identity import service as identity
from marketplace.identity.actors import Actor
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.permissions import Permission
from marketplace.incidents.models import Incident
from marketplace.incidents.states import Target
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.disclosure.world import listed_dataset, trade
from tests.factories import market
from tests.factories.identity import MemberDraftFactory, OrganizationFactory
from tests.factories.incidents import draft, opened, told
from tests.factories.oversight import case_of, circled, in_person

Deed = Callable[[], object]
DECEMBER = date(2025, 12, 1)


def in_one(deed: Deed) -> Deed:
    """The deed in a transaction, as an edge opens it."""

    def done() -> None:
        with transaction():
            deed()

    return done


def free_grant() -> tuple[str, market.Listed]:
    """A grant that cost nothing, and what it is of."""
    on = market.listed()
    return str(market.ordered(market.buyer(), market.offered(on, PriceKind.FREE)).grant_id), on


def noticing(_app: Flask) -> Deed:
    _grant, on = free_grant()
    touched = {"dataset_ids": (on.dataset_id,), "client_ids": (str(market.buyer().client_id),)}
    leak = draft(**touched, suspends=(Target.GRANTS, Target.CLIENTS))
    return in_one(partial(incidents.open_incident, market.party(operator=True), leak))


def leaked() -> tuple[Actor, Incident]:
    _grant, on = free_grant()
    operator = market.party(operator=True)
    return operator, opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,))


def telling(_app: Flask) -> Deed:
    operator, incident = leaked()
    return in_one(partial(incidents.tell, operator, incident.id))


def ending(_app: Flask) -> Deed:
    operator, incident = leaked()
    told(operator, incident)
    return in_one(partial(incidents.close, operator, incident.id, "鍵を替えた。"))


def overruling(_app: Flask) -> Deed:
    operator, who = market.party(operator=True), market.buyer().organization_id
    with transaction():
        first, second = in_person(operator), in_person(operator)
        identity.suspend_organization(operator, who, "漏えいの疑い")
    with transaction():
        proposed = overriding.propose(first, OverrideDeed.REINSTATEMENT, who, {}, "疑いは晴れた")
    return in_one(partial(overriding.carry_out, second, proposed.id))


def keeping(_app: Flask) -> Deed:
    operator, who = market.party(operator=True), market.buyer().organization_id
    return in_one(partial(holding.place, operator, who, "訴訟のため"))


def releasing(_app: Flask) -> Deed:
    operator, who = market.party(operator=True), market.buyer().organization_id
    with transaction():
        hold_id = holding.place(operator, who, "訴訟のため").id
    return in_one(partial(holds.lift, operator, hold_id, "和解"))


def suspecting(_app: Flask) -> Deed:
    circled(market.buyer().organization_id, market.buyer().organization_id)
    return cases.watch


def settling_case(_app: Flask) -> Deed:
    operator = market.party(operator=True)
    case_id = case_of(market.buyer().organization_id, market.buyer().organization_id)
    with transaction():
        cases.assign(operator, case_id, new_id("mem"))
    return in_one(partial(cases.close, operator, case_id, "共同研究の精算"))


def erasing(_app: Flask) -> Deed:
    who = market.buyer()
    with transaction():
        member_id = identity.add_member(who, who.organization_id, MemberDraftFactory()).id
    return in_one(partial(members.remove_member, who, member_id))


def traded() -> None:
    """A trade of the year before, so that there is something to publish."""
    with transaction():
        _dataset, offer = listed_dataset()
        trade(offer, OrganizationFactory(buyer=True), datetime(2025, 12, 10, tzinfo=UTC))


def publishing_month(_app: Flask) -> Deed:
    traded()
    return in_one(partial(register.publish, DECEMBER))


def publishing_year(_app: Flask) -> Deed:
    traded()
    with transaction():
        register.publish(DECEMBER)
    return in_one(partial(publishing.count, DECEMBER.year))


def looking_on(_app: Flask) -> Deed:
    return partial(looking.note_look, market.party(auditor=True), Permission.ORDERS_READ, "/v1/orders", {})


STORIES: dict[str, Callable[[Flask], Deed]] = {
    "an incident": noticing,
    "the notices of an incident": telling,
    "the end of an incident": ending,
    "an override": overruling,
    "a hold": keeping,
    "the end of a hold": releasing,
    "a case": suspecting,
    "the end of a case": settling_case,
    "a member who is erased": erasing,
    "a month of the register": publishing_month,
    "a year's report": publishing_year,
    "a look of an auditor": looking_on,
}
