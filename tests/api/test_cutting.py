"""Deliveries whose right ends while they run are broken off, whichever server carries them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.api import cutting, streams
from marketplace.delivery.streaming import CHUNK_BYTES
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.oauth import access_tokens, families
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.states import Assurance
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering.running import rights
from marketplace.server.body import FileBody
from tests.factories import market
from tests.factories.identity import MemberFactory, PersonFactory
from tests.live import wait_until

CONTENT = bytes(4 * CHUNK_BYTES)
DEAFEN = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)
ENVIRONS = {"any server": {}, "ours, iterating": {streams.SEND_FILE: FileBody}}


class Running:
    """A download that a WSGI server has begun to iterate: its first chunk went out."""

    def __init__(self, app: Flask, environ: dict[str, Any] | None = None) -> None:
        self.app, self.buyer = app, market.buyer()
        self.listed = market.listed(content=CONTENT)
        offer = market.offered(self.listed, PriceKind.FREE)
        self.grant_id = str(market.bought(app, self.buyer, offer).grant_id)
        with transaction():
            self.family_id, token = consented(self.buyer)
        answer = app.test_client().get(
            f"/v1/grants/{self.grant_id}/files/{market.NAME}",
            headers={"Authorization": f"Bearer {token}"},
            environ_overrides=environ or {},
        )
        assert answer.status_code == 200
        self.delivery_id = db.session.scalar(text("SELECT max(id) FROM delivery"))
        db.session.rollback()
        self.body: Any = iter(answer.response)
        next(self.body)
        next(self.body)  # asked for more: the first chunk went out

    @property
    def followed(self) -> Any:
        """The body as the reports know it."""
        return self.app.extensions[streams.EXTENSION]._followed[self.delivery_id]

    def is_stopped(self) -> bool:
        """Whether the next chunk would be refused."""
        return self.followed._stopped

    def ended(self) -> tuple[str, int, int]:
        """Close it as a server does; return its state, the bytes acknowledged and those charged."""
        db.session.rollback()
        self.body.close()
        row = db.session.execute(
            text(
                "SELECT state, bytes_acked, used_bytes FROM delivery JOIN quota USING (grant_id)"
                " WHERE grant_id = :grant_id"
            ),
            {"grant_id": self.grant_id},
        ).one()
        return tuple(row)


def consented(buyer: Actor) -> tuple[str, str]:
    """Have a member of the buyer let its program fetch; return the consent's family, and a token of it."""
    member = MemberFactory(organization_id=buyer.organization_id, person_id=PersonFactory().id)
    consent = Consent(member.id, buyer.organization_id, "data:read", None, Assurance.AAL1.value, clock.now())
    family_id = families.open_family(str(buyer.client_id), consent, None)
    said = {"member_id": member.id, "acr": consent.acr, "authenticated_at": consent.authenticated_at}
    bearer = Bearer(str(buyer.client_id), buyer.organization_id, consent.scope, family_id=family_id, **said)
    return family_id, access_tokens.issue(bearer)


def token_revoked(running: Running) -> None:
    access_tokens.revoke(token_of(running))


def consent_withdrawn_after_the_token_ran_out(running: Running) -> None:
    db.session.execute(text("DELETE FROM access_token WHERE jti = :jti"), {"jti": token_of(running)})
    families.revoke(running.family_id)


def consent_forgotten(running: Running) -> None:
    _say("DELETE FROM token_family WHERE id = :id", running.family_id)


def token_of(running: Running) -> str:
    return str(db.session.scalar(text("SELECT token_id FROM delivery WHERE id = :id"), {"id": running.delivery_id}))


def revoked(running: Running) -> None:
    access.revoke(running.listed.provider, running.grant_id, "契約違反のため")


def suspended(running: Running) -> None:
    access.suspend(SYSTEM, running.grant_id, Cause.DISPUTE, "dsp_1")


def organization_suspended(running: Running) -> None:
    identity.suspend_organization(SYSTEM, running.buyer.organization_id, "調査のため")


def client_suspended(running: Running) -> None:
    identity.suspend_client(running.buyer, str(running.buyer.client_id))


def more_trust_asked(running: Running) -> None:
    _say("UPDATE dataset SET trust_required = 'qualified' WHERE id = :id", running.listed.dataset_id)


def run_out(running: Running) -> None:
    _say("UPDATE access_grant SET expires_at = now() WHERE id = :id", running.grant_id)


def runs_out_soon(running: Running) -> None:
    _say("UPDATE access_grant SET expires_at = now() + interval '2 seconds' WHERE id = :id", running.grant_id)


def _say(statement: str, row_id: str) -> None:
    db.session.execute(text(statement), {"id": row_id})


def cutter_of(app: Flask) -> cutting.Cutter:
    return app.extensions[streams.EXTENSION]._beside[0]


ENDS = [
    revoked, suspended, organization_suspended, client_suspended, more_trust_asked, run_out, runs_out_soon,
    token_revoked, consent_withdrawn_after_the_token_ran_out, consent_forgotten,
]  # fmt: skip


@pytest.fixture
def told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks again by himself: what ends is heard, or never."""
    monkeypatch.setattr(cutting, "LOOK_SECONDS", 1e6)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.usefixtures("told_alone")
def test_whatever_ends_the_right_ends_the_download_and_no_other(own_database: Flask, end: Callable) -> None:
    running, other = Running(own_database), Running(own_database)
    wait_until("both to be known", lambda: len(cutter_of(own_database)._known) == 2)

    with transaction():
        end(running)

    wait_until("the download to be stopped", running.is_stopped)
    with pytest.raises(ConnectionResetError):
        next(running.body)
    assert running.ended() == ("broken", 2 * CHUNK_BYTES, 2 * CHUNK_BYTES)
    assert not other.is_stopped()
    assert len(list(other.body)) == 2
    assert other.ended() == ("complete", len(CONTENT), len(CONTENT))


@pytest.mark.usefixtures("told_alone")
def test_what_ended_while_nobody_could_hear_it_is_found_afterwards(own_database: Flask) -> None:
    running = Running(own_database)
    wait_until("it to be known", lambda: cutter_of(own_database)._known)
    with transaction():
        deafened = db.session.scalars(DEAFEN).all()
        revoked(running)
    assert deafened == [True]
    wait_until("the download to be stopped", running.is_stopped)
    assert running.ended() == ("broken", CHUNK_BYTES, CHUNK_BYTES)


def test_what_nobody_tells_is_found_by_looking(own_database: Flask) -> None:
    running = Running(own_database)
    wait_until("it to be known", lambda: cutter_of(own_database)._known)
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))  # no triggers
        revoked(running)
    wait_until("the download to be stopped", running.is_stopped)
    assert running.ended() == ("broken", CHUNK_BYTES, CHUNK_BYTES)


def test_a_token_that_runs_out_and_is_forgotten_ends_nothing(own_database: Flask) -> None:
    running = Running(own_database)
    with transaction():
        db.session.execute(text("DELETE FROM access_token WHERE jti = :jti"), {"jti": token_of(running)})
        [right] = rights([running.delivery_id])
    assert right.stands
    assert running.ended()[0] == "broken"


def test_a_change_that_is_taken_back_ends_nothing(own_database: Flask) -> None:
    running = Running(own_database)
    with pytest.raises(InterruptedError), transaction():
        revoked(running)
        raise InterruptedError
    cutter_of(own_database).turn({running.grant_id})
    assert len(list(running.body)) == 2
    assert running.ended() == ("complete", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("environ", ENVIRONS.values(), ids=ENVIRONS.keys())
def test_any_body_that_is_iterated_is_stopped(own_database: Flask, environ: dict[str, Any]) -> None:
    running = Running(own_database, environ)
    with transaction():
        revoked(running)
    wait_until("the download to be stopped", running.is_stopped)
    with pytest.raises(ConnectionResetError):
        next(running.body)
    assert running.ended() == ("broken", 2 * CHUNK_BYTES, 2 * CHUNK_BYTES)


def test_a_body_whose_last_byte_was_taken_is_complete_however_late_it_is_stopped(own_database: Flask) -> None:
    running = Running(own_database)
    next(running.body)
    next(running.body)
    running.followed.stop()
    assert list(running.body) == []
    assert running.ended() == ("complete", len(CONTENT), len(CONTENT))
