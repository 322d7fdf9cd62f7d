"""Incidents: what they touch is found to the byte, what must rest rests, everybody is told once, and it ends."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from marketplace.access import service as grants
from marketplace.access.errors import GrantSuspended
from marketplace.access.states import Cause
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog.models import File
from marketplace.exchange import incident as stories
from marketplace.exchange import purchase
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.models import Organization
from marketplace.identity.states import ClientState, MemberRole
from marketplace.incidents import queries, rules, service
from marketplace.incidents.errors import (
    IncidentClosed,
    IncidentReported,
    IncidentUnreported,
    IncidentUntold,
    SalesHalted,
)
from marketplace.incidents.models import Incident, IncidentDelivery, IncidentNotice
from marketplace.incidents.states import NoticeState, Stage, Target
from marketplace.kit import clock, mail, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind, ReleaseScope
from marketplace.metering import receipts
from marketplace.metering.models import Delivery
from tests.factories import market
from tests.factories.access import GrantFactory
from tests.factories.identity import MemberFactory
from tests.factories.incidents import deeds, opened, told

SIZE = len(market.CONTENT)
EVIDENCE = "5f" * 32


@pytest.fixture
def operator(app: Flask) -> Actor:
    return market.party(operator=True)


@pytest.fixture
def on(operator: Actor) -> market.Listed:
    """A dataset that two buyers have bought: see ``trades``."""
    return market.listed()


@pytest.fixture
def trades(app: Flask, on: market.Listed) -> dict[str, tuple[Actor, str]]:
    """Two grants of the dataset, one of them used; and one of another dataset with other bytes, used as well."""
    free = {"kind": PriceKind.FREE}
    offer, other = market.offered(on, **free), market.offered(market.listed(content=b"a,b\n1,2\n"), **free)
    made = {}
    for name, of in (("reader", offer), ("idle", offer), ("elsewhere", other)):
        who = market.buyer()
        made[name] = (who, str(market.bought(app, who, of).grant_id))
    for acked in (5, SIZE):
        market.fetched(*made["reader"], acked=acked)
    market.fetched(*made["elsewhere"])
    return made


def notices(incident: Incident) -> list[IncidentNotice]:
    own = select(IncidentNotice).where(IncidentNotice.incident_id == incident.id).order_by(IncidentNotice.id)
    return list(db.session.scalars(own, execution_options={"populate_existing": True}))


def member_of(who: Actor, email: str | None = None, role: MemberRole = MemberRole.OWNER) -> str:
    with transaction():
        organization = db.session.get_one(Organization, who.organization_id)
        return str(MemberFactory(organization=organization, email=email, role=role.value).id)


def deliveries_of(grant_id: str) -> list[str]:
    """The deliveries under a grant, oldest first."""
    return list(db.session.scalars(select(Delivery.id).where(Delivery.grant_id == grant_id).order_by(Delivery.id)))


def rewritten(tables: dict[str, str | None], **facts: str) -> None:
    """Change every row of some tables behind the exchange's back, as its database's superuser can; None empties."""
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    for table, values in tables.items():
        said = text(f"UPDATE {table} SET {values}" if values else f"DELETE FROM {table}")
        db.session.execute(said.bindparams(**{name: fact for name, fact in facts.items() if f":{name}" in str(said)}))
    db.session.execute(text("SET LOCAL session_replication_role = origin"))
    db.session.expire_all()


def test_who_received_which_bytes_of_a_leaked_file_is_found_and_kept(operator, on, trades) -> None:
    incident = opened(operator, sha256s=(market.opened_sha256(),))
    assert incident.affected == {
        "grants": 2, "buyers": 2, "providers": 1, "receivers": 1, "deliveries": 2, "receipts": 0, "contents": 1,
        "bytes_received": SIZE,
    }  # fmt: skip
    reader, grant_id = trades["reader"]
    found = {one.grant_id: one for one in queries.list_touched(incident.id)}
    assert set(found) == {grant_id, trades["idle"][1]}
    [file_id] = db.session.scalars(select(File.id).where(File.release_id == on.release_id))
    assert found[grant_id].contents == [
        {"sha256": market.opened_sha256(), "bytes": SIZE, "ranges": f"{{[0,{SIZE})}}", "file_ids": [file_id]}
    ]
    assert (found[trades["idle"][1]].deliveries, found[trades["idle"][1]].contents) == (0, [])
    listed = queries.list_deliveries(incident.id).items
    assert [(one.organization_id, one.client_id, one.start_byte, one.bytes_received) for one in listed] == [
        (reader.organization_id, reader.client_id, 0, SIZE),
        (reader.organization_id, reader.client_id, 0, 5),
    ]


def test_anybody_can_make_the_hash_on_the_record_of_the_list(operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    rows = reversed(queries.list_deliveries(incident.id).items)
    lines = "".join(f"{one.delivery_id} {one.sha256} {one.start_byte} {one.bytes_received}\n" for one in rows)
    assert incident.affected_sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert lines.count("\n") == 2
    own = (Entry.subject == incident.id, Entry.verb == Verb.INCIDENT_ASSESSED.value)
    facts = db.session.scalars(select(Entry.facts).where(*own)).one()
    assert facts["deliveries_sha256"] == incident.affected_sha256
    assert "鍵" not in "".join(db.session.scalars(select(Entry.canonical).where(Entry.subject == incident.id)))


def test_an_incident_of_as_many_ids_as_may_be_is_opened_and_the_record_binds_it_to_them(operator) -> None:
    kinds = {"dataset_ids": "ds_", "release_ids": "rel_", "sha256s": "f" * 32, "organization_ids": "org_"}
    ids = {
        name: tuple(f"{prefix}{number:032x}" for number in reversed(range(rules.SCOPE_IDS_MAX)))
        for name, prefix in (kinds | {"client_ids": "cli_"}).items()
    }
    incident = opened(operator, **ids)
    own = (Entry.subject == incident.id, Entry.verb == Verb.INCIDENT_OPENED.value)
    scopes = db.session.scalars(select(Entry.facts).where(*own)).one()["scopes"]
    assert scopes == {
        name: {"count": rules.SCOPE_IDS_MAX, "sha256": digest_of(sorted(listed))} for name, listed in ids.items()
    }


@pytest.mark.parametrize("scope", ["dataset", "release", "content", "buyer", "provider", "client"])
def test_each_scope_finds_the_same_reader_and_all_of_them_must_hold(operator, on, trades, scope: str) -> None:
    reader, grant_id = trades["reader"]
    named = {
        "dataset": {"dataset_ids": (on.dataset_id,)},
        "release": {"release_ids": (on.release_id,)},
        "content": {"sha256s": (market.opened_sha256(),)},
        "buyer": {"organization_ids": (reader.organization_id,)},
        "provider": {"organization_ids": (on.provider.organization_id,)},
        "client": {"client_ids": (reader.client_id,)},
    }[scope]
    found = [one.grant_id for one in queries.list_touched(opened(operator, **named).id)]
    assert grant_id in found
    assert trades["elsewhere"][1] not in found
    assert (trades["idle"][1] in found) == (scope not in {"buyer", "client"})
    nowhere = opened(operator, **named | {"organization_ids": (operator.organization_id,)})
    assert nowhere.affected["grants"] == nowhere.affected["deliveries"] == 0


def test_what_was_over_before_and_what_came_after_the_span_is_not_touched(operator, on, trades) -> None:
    now = clock.now()
    before = opened(operator, began_at=now - timedelta(days=2), ended_at=now - timedelta(days=1))
    assert before.affected["grants"] == before.affected["deliveries"] == 0
    delivery = db.session.scalars(select(IncidentDelivery.delivery_id).where(IncidentDelivery.incident_id == before.id))
    assert delivery.all() == []
    with transaction():
        grants.revoke(on.provider, trades["idle"][1], "解約")
    with clock.stopped(now + timedelta(days=3)):
        later = opened(operator, began_at=now + timedelta(days=1), dataset_ids=(on.dataset_id,))
    assert [one.grant_id for one in queries.list_touched(later.id)] == [trades["reader"][1]]
    assert later.affected["deliveries"] == 0


def test_what_was_still_running_is_found_to_its_end_when_one_looks_again(operator, on, trades) -> None:
    who, grant_id = trades["idle"]
    with transaction():
        running = market.download.open_delivery(who, market.wanted(grant_id))
    running.file.close()
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    assert (incident.affected["deliveries"], incident.affected["bytes_received"]) == (3, SIZE)
    before = incident.affected_sha256
    market.download.close_delivery(running.delivery_id, 7, 7, "broken")
    with transaction():
        stories.assess(operator, incident.id)
    assert (incident.affected["deliveries"], incident.affected["bytes_received"]) == (3, SIZE + 7)
    assert incident.affected_sha256 != before


def test_the_record_decides_whatever_the_tables_say_by_now(app, operator, on, trades) -> None:
    scope = {"dataset_ids": (on.dataset_id,), "sha256s": (market.opened_sha256(),), "release_ids": (on.release_id,)}
    reader, grant_id = trades["reader"]
    with transaction():
        receipts.get_receipt(reader, deliveries_of(grant_id)[0])
    before = opened(operator, **scope)
    stranger, other = trades["elsewhere"][0], market.release_of(on.provider, on.dataset_id, b"x", "other.csv")
    rewritten({
        "delivery": "organization_id = :stranger, client_id = NULL, sha256 = :sha256, release_id = :other, "
        "bytes_acked = 0, progress = 0, start_byte = 0, opened_at = now() - interval '9 days', "
        "closed_at = now() - interval '8 days', state = 'swept'",
        "access_grant": "organization_id = :stranger, expires_at = now() - interval '9 days', state = 'revoked', "
        "starts_at = now() - interval '10 days', revoked_at = now() - interval '9 days', revoked_reason = 'x'",
        "file": "sha256 = :sha256",
        "access_grant_release": "release_id = :other",
        "receipt": None,
    }, stranger=stranger.organization_id, other=other, sha256="0" * 64)  # fmt: skip
    after = opened(operator, **scope)
    assert (after.affected, after.affected_sha256) == (before.affected, before.affected_sha256)
    assert after.affected["bytes_received"] == SIZE
    assert after.affected["receipts"] == 1
    assert {one.organization_id for one in queries.list_touched(after.id)} == {
        reader.organization_id, trades["idle"][0].organization_id,
    }  # fmt: skip


def test_a_grant_or_a_delivery_without_an_entry_is_not_there(operator, on, trades) -> None:
    before = opened(operator, dataset_ids=(on.dataset_id,))
    with transaction():
        GrantFactory(dataset_id=on.dataset_id)
    assert opened(operator, dataset_ids=(on.dataset_id,)).affected == before.affected


def test_a_release_that_came_later_is_found_by_the_grants_that_were_worth_something_then(app, operator, on) -> None:
    offer = market.offered(on, kind=PriceKind.FREE, scope=ReleaseScope.ALL, duration_days=30)
    over, open_one, _current = (
        str(market.bought(app, market.buyer(), one).grant_id)
        for one in (offer, offer, market.offered(on, kind=PriceKind.FREE))
    )
    with transaction():
        grants.revoke(on.provider, over, "解約")
    later = market.release_of(on.provider, on.dataset_id, b"later")
    for named in ({"release_ids": (later,)}, {"sha256s": (hashlib.sha256(b"later").hexdigest(),)}):
        assert [one.grant_id for one in queries.list_touched(opened(operator, **named).id)] == [open_one]
    with clock.stopped(clock.now() + timedelta(days=31)):
        after = opened(operator, began_at=clock.now() - timedelta(hours=1), release_ids=(later,))
        assert after.affected["grants"] == 0


def test_a_release_is_found_in_each_entry_that_tells_what_a_grant_opened(app, operator, on, monkeypatch) -> None:
    monkeypatch.setattr(grants, "RELEASES_IN_AN_ENTRY", 1)
    second = market.release_of(on.provider, on.dataset_id, b"second")
    offer = market.offered(on, kind=PriceKind.FREE, scope=ReleaseScope.ALL)
    grant_id = str(market.bought(app, market.buyer(), offer).grant_id)
    for release_id in (on.release_id, second):
        found = queries.list_touched(opened(operator, release_ids=(release_id,)).id)
        assert grant_id in [one.grant_id for one in found]


def test_what_a_grant_gave_between_a_revocation_and_its_undoing_is_nothing(app, operator, on) -> None:
    grant_id = str(market.bought(app, market.buyer(), market.offered(on, kind=PriceKind.FREE)).grant_id)
    start = clock.now()
    for hours, deed in (
        (1, lambda: grants.revoke_for(SYSTEM, grant_id, "返金", "rfd_1")),
        (9, lambda: grants.reinstate(SYSTEM, grant_id, "rfd_1")),
    ):
        with clock.stopped(start + timedelta(hours=hours)), transaction():
            deed()
    found = {}
    with clock.stopped(start + timedelta(hours=20)):
        for name, hours in {"before": (0, 2), "between": (2, 8), "after": (8, 10)}.items():
            began_at, ended_at = (start + timedelta(hours=hour) for hour in hours)
            found[name] = opened(operator, began_at=began_at, ended_at=ended_at, dataset_ids=(on.dataset_id,))
    assert {name: one.affected["grants"] for name, one in found.items()} == {"before": 1, "between": 0, "after": 1}


def test_grants_rest_in_the_transaction_that_opens_the_incident_and_open_again(operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,))
    for name in ("reader", "idle"):
        with pytest.raises(GrantSuspended):
            market.fetched(*trades[name])
    market.fetched(*trades["elsewhere"])
    assert [one.suspended for one in queries.list_touched(incident.id)] == [True, True]
    with transaction():
        grants.suspend(SYSTEM, trades["idle"][1], Cause.OVERDUE, "inv_1")
        stories.lift(operator, incident.id)
    market.fetched(*trades["reader"])
    with pytest.raises(GrantSuspended):
        market.fetched(*trades["idle"])
    assert deeds(incident) == ["incidents.incident.opened", "incidents.incident.assessed", "incidents.incident.lifted"]


def test_a_refused_opening_lets_nothing_rest(operator, on, trades) -> None:
    with pytest.raises(NotFound):
        opened(operator, client_ids=("cli_" + "0" * 32,), suspends=(Target.CLIENTS, Target.GRANTS))
    market.fetched(*trades["reader"])
    assert queries.list_incidents().items == []


def test_a_stolen_client_is_shut_out_for_good(operator, on, trades) -> None:
    reader, _grant_id = trades["reader"]
    incident = opened(operator, client_ids=(reader.client_id,), suspends=(Target.CLIENTS,))
    assert identity.get_client(str(reader.client_id)).state == ClientState.SUSPENDED.value
    with transaction():
        stories.lift(operator, incident.id)
    db.session.expire_all()
    assert identity.get_client(str(reader.client_id)).state == ClientState.SUSPENDED.value


def test_new_orders_of_a_dataset_rest_while_its_incident_is_open(operator, on, trades) -> None:
    offer, who = market.offered(on, kind=PriceKind.FREE), market.buyer()
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.SALES,))
    with pytest.raises(SalesHalted), transaction():
        purchase.place_order(who, offer.id, offer.terms_sha256)
    with transaction():
        stories.lift(operator, incident.id)
    with transaction():
        assert purchase.place_order(who, offer.id, offer.terms_sha256)


def test_everybody_affected_is_told_once_and_takes_note(operator, on, trades) -> None:
    reader, _grant_id = trades["reader"]
    owner = member_of(reader, "owner@reader.example.jp")
    member_of(reader, "finance@reader.example.jp", MemberRole.FINANCE)
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    told(operator, incident)
    told(operator, incident)
    provider, idle = on.provider.organization_id, trades["idle"][0].organization_id
    assert {one.recipient: rules.state_of(one) for one in notices(incident)} == {
        owner: NoticeState.QUEUED, provider: NoticeState.HELD, idle: NoticeState.HELD,
    }  # fmt: skip
    [letter] = mail.list_waiting()
    assert letter.recipient == "owner@reader.example.jp"
    assert "漏えい" in letter.subject
    assert "A key has leaked." in letter.body
    assert f"2 deliveries, {SIZE} bytes" in letter.body
    [own] = queries.list_notices(reader).items
    assert queries.shares_of([own]) == {own.id: (1, 2, SIZE)}
    with transaction():
        service.acknowledge(reader, own.id)
        service.acknowledge(reader, own.id)
    assert rules.state_of(own) == NoticeState.ACKNOWLEDGED
    assert own.acknowledged_by == reader.client_id
    assert deeds(incident).count("incidents.incident.acknowledged") == 1


def test_a_letter_that_went_out_is_known_after_the_mail_has_forgotten_it(operator, on, trades) -> None:
    member_of(trades["reader"][0], "owner@reader.example.jp")
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    told(operator, incident)
    sent_at = clock.now()
    with transaction():
        db.session.execute(update(mail.Mail).values(sent_at=sent_at, body=""))
    stories.watch()
    with clock.stopped(sent_at + timedelta(days=8)):
        mail.forget()
    assert mail.sent_at([str(one.mail_id) for one in notices(incident)]) == {}
    assert [one.sent_at for one in notices(incident) if one.mail_id] == [sent_at]


def test_what_is_overdue_is_flagged_once_and_the_operator_is_told(operator, on, trades) -> None:
    member_of(operator, "desk@city.example.jp", MemberRole.REVIEWER)
    reader = member_of(trades["reader"][0], "owner@reader.example.jp")
    incident = opened(operator, dataset_ids=(on.dataset_id,), personal_data=True)
    noted, silent = (member_of(trades["idle"][0], f"{name}@idle.example.jp") for name in ("noted", "silent"))
    told(operator, incident)
    with transaction():
        db.session.execute(update(mail.Mail).values(sent_at=clock.now(), body=""))
        [own] = [one for one in notices(incident) if one.recipient == noted]
        service.acknowledge(trades["idle"][0], own.id)
    stories.watch()
    assert [duty.overdue_at for duty in queries.list_duties(incident.id)] == [None, None]
    late = queries.list_duties(incident.id)[0].due_at
    for _ in range(2):
        with clock.stopped(late):
            stories.watch()
    db.session.expire_all()
    assert [duty.overdue_at for duty in queries.list_duties(incident.id)] == [late, None]
    assert {
        one.recipient: (rules.state_of(one), one.overdue_at) for one in notices(incident) if one.organization_id
    } == {
        reader: (NoticeState.SENT, late),
        noted: (NoticeState.ACKNOWLEDGED, None),
        silent: (NoticeState.SENT, None),
        on.provider.organization_id: (NoticeState.HELD, late),
    }
    assert deeds(incident).count("incidents.incident.overdue") == 1 + 2
    assert [letter.recipient for letter in mail.list_waiting()] == ["desk@city.example.jp"]


def test_a_report_is_noted_once_and_never_with_another_reference(operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,), personal_data=True)
    for _ in range(2):
        with transaction():
            stories.report(operator, incident.id, Stage.PRELIMINARY, "PPC-1", EVIDENCE)
    with pytest.raises(IncidentReported), transaction():
        stories.report(operator, incident.id, Stage.PRELIMINARY, "PPC-2", EVIDENCE)
    assert [duty.reference for duty in queries.list_duties(incident.id)] == ["PPC-1", None]
    assert deeds(incident).count("incidents.incident.reported") == 1
    without = opened(operator, dataset_ids=(on.dataset_id,))
    with pytest.raises(IncidentReported), transaction():
        stories.report(operator, without.id, Stage.FULL, "PPC-3", EVIDENCE)


def test_an_incident_closes_only_when_all_were_told_and_all_reports_were_made(operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,), personal_data=True)

    def close() -> None:
        with transaction():
            stories.close(operator, incident.id, "原因と再発防止策")

    with pytest.raises(IncidentUntold) as untold:
        close()
    assert len(untold.value.members["organization_ids"]) == 3
    told(operator, incident)
    with pytest.raises(IncidentUnreported) as unreported:
        close()
    assert unreported.value.members["stages"] == ["preliminary", "full"]
    with pytest.raises(GrantSuspended):
        market.fetched(*trades["reader"])
    for stage in Stage:
        with transaction():
            stories.report(operator, incident.id, stage, f"PPC-{stage}", EVIDENCE)
    close()
    market.fetched(*trades["reader"])
    with pytest.raises(IncidentClosed):
        close()


def test_whoever_comes_to_light_before_the_closing_is_told_and_then_it_closes(app, operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    told(operator, incident)
    late = market.buyer()
    market.bought(app, late, market.offered(on, kind=PriceKind.FREE))
    with pytest.raises(IncidentUntold) as untold, transaction():
        stories.close(operator, incident.id, "原因と再発防止策")
    assert untold.value.members["organization_ids"] == [late.organization_id]
    told(operator, incident)
    assert [one.incident_id for one in queries.list_notices(late).items] == [incident.id]
    with transaction():
        stories.close(operator, incident.id, "原因と再発防止策")
    assert incident.closed_at


def test_a_drill_runs_from_opening_to_closing_and_nothing_goes_outside(operator, on, trades) -> None:
    settings.install(replace(settings.current(), incident_authority_email="ppc@example.go.jp"))
    member_of(trades["reader"][0], "owner@reader.example.jp")
    everything = (Target.GRANTS, Target.CLIENTS, Target.SALES)
    named = {"dataset_ids": (on.dataset_id,), "client_ids": (str(trades["reader"][0].client_id),)}
    incident = opened(operator, drill=True, personal_data=True, suspends=everything, **named)
    assert (incident.affected["grants"], incident.affected["deliveries"]) == (1, 2)
    told(operator, incident)
    assert len(notices(incident)) == 3
    assert {rules.state_of(one) for one in notices(incident)} == {NoticeState.HELD}
    with clock.stopped(clock.now() + timedelta(days=99)):
        stories.watch()
    assert mail.list_waiting() == []
    [own] = queries.list_notices(trades["reader"][0]).items
    with transaction():
        service.acknowledge(trades["reader"][0], own.id)
        for stage in Stage:
            stories.report(operator, incident.id, stage, "訓練", EVIDENCE)
        stories.close(operator, incident.id, "訓練の講評")
    market.fetched(*trades["reader"])
    assert incident.report_sha256 == hashlib.sha256("訓練の講評".encode()).hexdigest()
    last = db.session.scalars(select(Entry).where(Entry.subject == incident.id).order_by(Entry.id.desc())).first()
    assert deeds(incident)[0] == "incidents.incident.opened"
    assert "incidents.incident.closed" in deeds(incident)
    assert last.organization_id == operator.organization_id


def test_the_authority_is_written_to_where_personal_data_are_concerned(operator, on, trades) -> None:
    settings.install(replace(settings.current(), incident_authority_email="ppc@example.go.jp"))
    plain = opened(operator, dataset_ids=(on.dataset_id,))
    told(operator, plain)
    assert mail.list_waiting() == []
    incident = opened(operator, dataset_ids=(on.dataset_id,), personal_data=True)
    told(operator, incident)
    told(operator, incident)
    [letter] = mail.list_waiting()
    assert letter.recipient == "ppc@example.go.jp"
    assert "個人情報保護法第" in letter.body
    [to_authority] = [one for one in notices(incident) if one.organization_id is None]
    with pytest.raises(NotFound), transaction():
        service.acknowledge(trades["reader"][0], to_authority.id)
    with transaction():
        service.acknowledge(operator, to_authority.id)
    assert rules.state_of(to_authority) == NoticeState.ACKNOWLEDGED


def test_nobody_takes_note_in_the_place_of_another(operator, on, trades) -> None:
    incident = opened(operator, dataset_ids=(on.dataset_id,))
    told(operator, incident)
    [own] = queries.list_notices(trades["reader"][0]).items
    for other in (trades["idle"][0], operator):
        with pytest.raises(NotFound), transaction():
            service.acknowledge(other, own.id)
    assert own.acknowledged_at is None
    assert queries.list_notices(trades["elsewhere"][0]).items == []
