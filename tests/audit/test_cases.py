"""The watch: what is new on the record is read once, and each finding has one case file."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit import queries as record
from marketplace.audit import sequencer
from marketplace.audit import service as audit
from marketplace.audit.cases import queries, service
from marketplace.audit.cases.errors import CaseMoved
from marketplace.audit.cases.models import CaseFile, CaseNote, RuleMark, RuleMemory
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

A, B, OPERATOR = (new_id("org") for _ in range(3))
WORKER = Actor(OPERATOR, "cli_operator")
MEMBER = new_id("mem")


def ordered(buyer: str, provider: str, yen: int = 20_000) -> tuple[str, str]:
    """An order on the record: the entry and the order."""
    order = new_id("ord")
    with transaction():
        entry = audit.record(Actor(buyer), Verb.ORDER_PLACED, subject=order, counterparty=provider, amount_minor=yen)
    return entry, order


def watched() -> list[CaseFile]:
    """Place what is on the record, let the rules read it, and return the cases."""
    sequencer.sequence_all()
    service.watch()
    return list(queries.list_cases().items)


def told(verb: Verb) -> list[tuple[str, str, dict]]:
    entries = [placed.entry for placed in record.search_entries(Search(verb=verb.value)).items]
    return [(entry.organization_id, entry.subject, entry.facts) for entry in entries]


@pytest.fixture
def case(app: Flask) -> CaseFile:
    """A case of two parties that buy from each other, among trades that are none."""
    del app
    ordered(A, new_id("org"))
    ordered(A, B)
    ordered(B, A)
    [made] = watched()
    return made


def test_a_finding_opens_a_case_with_its_evidence_and_the_record_says_so(app: Flask) -> None:
    del app
    (first, _), (second, _) = ordered(A, B), ordered(B, A)
    [case] = watched()
    pair = " ".join(sorted((A, B)))
    month = f"{clock.today():%Y-%m}"
    assert (case.rule, case.subject, case.span, case.state) == ("circular-trade", pair, month, "open")
    assert case.evidence == [first, second]
    assert case.figures == {"yen_by_buyer": {A: 20_000, B: 20_000}}
    facts = {"rule": "circular-trade", "about": pair, "span": month, "evidence": [first, second]}
    assert told(Verb.CASE_OPENED) == [("system", case.id, facts)]


def test_what_was_read_is_not_read_again_and_what_is_read_again_opens_nothing(case: CaseFile) -> None:
    ordered(A, B)
    assert [one.id for one in watched()] == [case.id]
    mark = db.session.get_one(RuleMark, "watch", populate_existing=True)
    assert mark.position == queries.placed_up_to()
    mark.position = 0
    db.session.execute(RuleMemory.__table__.delete())
    db.session.commit()
    assert [one.id for one in watched()] == [case.id]
    assert len(told(Verb.CASE_OPENED)) == 1


def test_a_rule_remembers_from_one_run_to_the_next(app: Flask) -> None:
    del app
    ordered(A, B)
    assert watched() == []
    ordered(B, A)
    assert [one.rule for one in watched()] == ["circular-trade"]


def test_everything_is_read_however_many_batches_it_takes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    monkeypatch.setattr(service, "BATCH", 2)
    # Of a record of long ago, as after an upgrade, nothing is forgotten before the end.
    long_ago = clock.now() - timedelta(days=365)
    for minute, (buyer, provider) in enumerate([(A, B), (A, B), (A, B), (B, A)]):
        with clock.stopped(long_ago + timedelta(minutes=minute)):
            ordered(buyer, provider)
    [case] = watched()
    assert case.figures == {"yen_by_buyer": {A: 60_000, B: 20_000}}
    assert db.session.scalar(select(func.count()).select_from(RuleMemory)) == 0


def test_what_is_remembered_for_a_time_is_forgotten_then(case: CaseFile) -> None:
    remembered = select(func.count()).select_from(RuleMemory)
    assert db.session.scalar(remembered) == 2
    with clock.stopped(clock.now() + timedelta(days=31)):
        service.watch()
    assert db.session.scalar(remembered) == 0
    assert queries.get_case(case.id).state == "open"


def test_refunds_are_laid_to_the_parties_of_the_sale_whoever_made_them(app: Flask) -> None:
    del app
    orders = [ordered(A, B)[1] for _ in range(3)]
    with transaction():
        for order in orders:
            facts = {"reason": "requested", "sale": order}
            audit.record(
                WORKER, Verb.REFUND_OPENED, subject=new_id("rfd"), counterparty=A, amount_minor=20_000, facts=facts
            )
    [case] = watched()
    assert (case.rule, case.subject) == ("refund-loop", " ".join(sorted((A, B))))
    assert case.figures == {"refunds": 3, "yen": 60_000}


def test_a_case_is_worked_by_somebody_and_closed_for_a_reason_of_which_the_record_has_the_hash(case: CaseFile) -> None:
    with transaction():
        service.assign(WORKER, case.id, MEMBER)
        note = service.write_note(WORKER, case.id, "両社に照会した。")
        service.close(WORKER, case.id, "共同研究の精算")
    closed = queries.get_case(case.id)
    assert (closed.state, closed.assignee_id, closed.closed_reason) == ("closed", MEMBER, "共同研究の精算")
    rule = {"rule": "circular-trade"}
    assert told(Verb.CASE_ASSIGNED) == [(OPERATOR, case.id, rule | {"assignee": MEMBER})]
    words = {"note": note.id, "words_sha256": sha256_hex("両社に照会した。".encode())}
    assert told(Verb.CASE_NOTED) == [(OPERATOR, case.id, rule | words)]
    assert told(Verb.CASE_CLOSED) == [
        (OPERATOR, case.id, rule | {"reason_sha256": sha256_hex("共同研究の精算".encode())})
    ]
    assert [one.words for one in queries.list_notes(case.id).items] == ["両社に照会した。"]


def test_a_case_is_not_closed_before_it_is_somebodys_nor_moved_after_it_is_closed(case: CaseFile) -> None:
    with pytest.raises(CaseMoved), transaction():
        service.close(WORKER, case.id, "早すぎる")
    assert queries.get_case(case.id).state == "open"
    with transaction():
        service.assign(WORKER, case.id, MEMBER)
        service.close(WORKER, case.id, "確認済み")
    for deed in (
        lambda: service.assign(WORKER, case.id, new_id("mem")),
        lambda: service.close(WORKER, case.id, "再度"),
    ):
        with pytest.raises(CaseMoved), transaction():
            deed()
    kept = queries.get_case(case.id)
    assert (kept.assignee_id, kept.closed_reason) == (MEMBER, "確認済み")
    assert len(told(Verb.CASE_CLOSED)) == 1


def test_cases_are_found_by_either_party_state_rule_and_assignee(case: CaseFile) -> None:
    for found in ({"subject": A}, {"subject": B}, {"state": "open"}, {"rule": "circular-trade"}, {}):
        assert [one.id for one in queries.list_cases(**found).items] == [case.id]
    for nothing in ({"subject": A[:-1]}, {"state": "closed"}, {"rule": "price-jump"}, {"assignee_id": MEMBER}):
        assert queries.list_cases(**nothing).items == []
    for unknown in ("cse_1", new_id("cse")):
        with pytest.raises(NotFound):
            queries.get_case(unknown)


def test_one_reader_works_at_a_time(own_database: Flask) -> None:
    ordered(A, B)
    ordered(B, A)
    sequencer.sequence_all()
    with own_database.app_context():
        db.session.execute(select(RuleMark).with_for_update())
        with own_database.app_context():
            assert service.watch_batch() is False
            db.session.remove()
        db.session.rollback()
    service.watch()
    assert len(queries.list_cases().items) == 1
    assert db.session.scalar(select(func.count()).select_from(CaseNote)) == 0
