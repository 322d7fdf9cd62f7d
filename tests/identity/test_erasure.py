"""A member's erasure: the salt goes, nobody can tell any more whom the record meant, and every proof still holds."""

from flask import Flask
from sqlalchemy import select

from marketplace.audit import commitments, rules, sequencer, verification
from marketplace.audit.keeping_models import Salt
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity import members, service
from marketplace.identity.rules import MemberDraft
from marketplace.identity.states import MemberRole
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market

HANAKO = {"name": "佐藤 花子", "email": "hanako@example.jp"}


def test_erasing_a_member_leaves_the_record_whole_and_silent(app: Flask) -> None:
    who = market.buyer()
    with transaction():
        member_id = service.add_member(who, who.organization_id, MemberDraft(role=MemberRole.BUYER, **HANAKO)).id
    sequencer.sequence_all()
    size, root = sequencer.root()
    added = db.session.scalars(select(Entry).where(Entry.subject == member_id)).one()
    committed = added.facts["commitment"]
    assert "花子" not in added.canonical
    assert commitments.matches(member_id, HANAKO, committed) is True
    assert commitments.matches(member_id, HANAKO | {"name": "佐藤 桃子"}, committed) is False

    with transaction():
        members.remove_member(who, member_id)
    sequencer.sequence_all()

    assert commitments.matches(member_id, HANAKO, committed) is None
    assert db.session.scalars(select(Salt).where(Salt.subject == member_id)).all() == []
    removed = db.session.scalars(select(Entry).where(Entry.verb == Verb.MEMBER_REMOVED.value)).one()
    assert removed.facts["salt_erased"] is True
    assert db.session.get_one(Entry, added.id, populate_existing=True).canonical == added.canonical
    assert rules.canonical_entry({name: getattr(added, name) for name in rules.FIELDS}) == added.canonical
    assert verification.verify((size, root.hex())).findings == []


def test_equal_people_have_unequal_commitments(app: Flask) -> None:
    with transaction():
        first, second = commitments.commitment_to("mem_1", HANAKO), commitments.commitment_to("mem_2", HANAKO)
        again = commitments.commitment_to("mem_1", HANAKO)
    assert first == again != second
    with transaction():
        assert commitments.erase("mem_1")
        assert not commitments.erase("mem_1")
    assert commitments.matches("mem_2", HANAKO, second) is True
