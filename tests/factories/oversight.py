"""What grows on the record: a case with a note, a saved search, a proposed override."""

from dataclasses import replace

from marketplace.audit import sequencer
from marketplace.audit import service as audit
from marketplace.audit.cases import queries, service
from marketplace.audit.searches import service as searches
from marketplace.audit.verbs import Verb
from marketplace.exchange import overriding
from marketplace.identity.actors import Actor
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, PersonFactory


def circled(one: str, other: str) -> None:
    """Two parties that buy from each other, on the record."""
    with transaction():
        for buyer, seller in ((one, other), (other, one)):
            audit.record(Actor(buyer), Verb.ORDER_PLACED, subject="ord_1", counterparty=seller, amount_minor=10_000)
    sequencer.sequence_all()


def case_of(one: str, other: str) -> str:
    """The id of a case of two parties that buy from each other."""
    circled(one, other)
    service.watch()
    return str(queries.list_cases(rule="circular-trade").items[0].id)


def in_person(actor: Actor, person_id: str | None = None) -> Actor:
    """The same caller as a member of its organization, of this person or of somebody new."""
    whose = person_id or PersonFactory().id
    member = MemberFactory(organization_id=actor.organization_id, organization=None, person_id=whose)
    return replace(actor, member_id=member.id)


def overseen(operator: Actor, one: str, other: str, invoice_id: str) -> dict[str, str]:
    """One of each, by the name of the placeholder that takes its id."""
    case_id = case_of(one, other)
    with transaction():
        service.write_note(operator, case_id, "照会中")
        search = searches.save(operator, "登録", {})
        given = {"amount_yen": 1, "note": "", "ends_access": False}
        proposed = overriding.propose(in_person(operator), OverrideDeed.REFUND, invoice_id, given, "申し出による")
        return {"case_id": case_id, "search_id": search.id, "override_id": proposed.id}
