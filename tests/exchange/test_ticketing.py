"""Download tickets: an address in a client's name, for one content, for a short while."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from marketplace.access import service as access
from marketplace.access import tickets
from marketplace.access.ticket_models import Ticket
from marketplace.audit.models import Entry
from marketplace.exchange import ticketing
from marketplace.identity import credentials
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.errors import PurposeNotPermitted, PurposeUnknown
from marketplace.licensing.states import PriceKind, ReleaseScope
from marketplace.metering.models import Delivery
from tests.factories import market

CONTENT = market.CONTENT


class Bought:
    """A grant of a free offer, its buyer and its provider."""

    def __init__(self, app: Flask) -> None:
        self.app, self.buyer, self.listed = app, market.buyer(), market.listed()
        offer = market.offered(self.listed, PriceKind.FREE, scope=ReleaseScope.ALL)
        self.grant_id = str(market.bought(app, self.buyer, offer).grant_id)

    def issue(self, purpose: str | None = None, actor: Actor | None = None) -> str:
        """A new ticket's secret."""
        with transaction():
            return ticketing.issue(actor or self.buyer, self.grant_id, market.NAME, None, purpose).secret

    def fetch(self, secret: str, method: str = "GET", **headers: str) -> TestResponse:
        """Ask as any tool would: without a token."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().open(f"/tickets/{secret}", method=method, headers=fields)


@pytest.fixture
def bought(app: Flask) -> Bought:
    """The grant, and another that a forgotten WHERE would find."""
    Bought(app)
    return Bought(app)


def slug_of(answer: TestResponse) -> str:
    return str(answer.get_json(force=True)["type"]).rsplit("/", 1)[1]


def deliveries() -> int:
    return int(db.session.scalar(select(func.count()).select_from(Delivery)) or 0)


def entries(verb: str) -> list[Any]:
    return list(db.session.scalars(select(Entry).where(Entry.verb == verb)))


def test_a_ticket_brings_the_file_and_its_ranges_and_is_metered_as_its_client(bought: Bought) -> None:
    secret = bought.issue()
    whole = bought.fetch(secret)
    assert (whole.status_code, whole.data) == (200, CONTENT)
    assert whole.headers["Cache-Control"] == "private, no-store"
    part = bought.fetch(secret, Range="bytes=4-9")
    assert (part.status_code, part.data) == (206, CONTENT[4:10])
    whole.close()
    part.close()

    kept = db.session.scalars(select(Delivery)).all()
    assert {(one.grant_id, one.client_id) for one in kept} == {(bought.grant_id, bought.buyer.client_id)}
    assert len(entries("access.ticket.issued")) == len(entries("access.ticket.used")) == 1


def test_only_a_hash_of_the_secret_is_kept(bought: Bought) -> None:
    secret = bought.issue()
    assert secret.startswith("mk_tk_")
    ticket = db.session.scalars(select(Ticket)).one()
    assert ticket.secret_sha256 == credentials.hash_of(secret)
    row = db.session.execute(text("SELECT CAST(ticket AS text) FROM ticket")).scalar_one()
    assert secret not in row


def test_the_first_byte_is_asked_for_within_a_minute(bought: Bought) -> None:
    secret = bought.issue()
    with clock.stopped(clock.now() + tickets.BEGIN_WITHIN):
        late = bought.fetch(secret)
    assert (late.status_code, slug_of(late)) == (404, "ticket-unknown")
    assert deliveries() == 0


def test_what_was_begun_can_be_resumed_for_a_quarter_of_an_hour_and_no_longer(bought: Bought) -> None:
    begun = clock.now()
    with clock.stopped(begun):
        secret = bought.issue()
        bought.fetch(secret, Range="bytes=0-3").close()
    with clock.stopped(begun + tickets.RESUMABLE_FOR - timedelta(seconds=1)):
        assert bought.fetch(secret, Range="bytes=4-").data == CONTENT[4:]
    with clock.stopped(begun + tickets.RESUMABLE_FOR):
        assert bought.fetch(secret, Range="bytes=4-").status_code == 404
    assert deliveries() == 2


def test_head_is_free_and_begins_nothing(bought: Bought) -> None:
    secret = bought.issue()
    head = bought.fetch(secret, "HEAD")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert db.session.scalars(select(Ticket)).one().first_used_at is None
    assert deliveries() == 0


@pytest.mark.parametrize("secret", ["mk_tk_" + "x" * 43 + "000000", "mk_tk_", "x", "%00", credentials.new_secret])
def test_what_is_no_ticket_is_not_found(bought: Bought, secret: Any) -> None:
    bought.issue()
    given = secret("mk_tk_") if callable(secret) else secret
    answer = bought.fetch(given)
    assert answer.status_code in {400, 404}
    assert deliveries() == 0


def revoked(bought: Bought) -> None:
    access.revoke(bought.listed.provider, bought.grant_id, "契約違反のため")


def organization_suspended(bought: Bought) -> None:
    identity.suspend_organization(SYSTEM, bought.buyer.organization_id, "調査のため")


def client_suspended(bought: Bought) -> None:
    identity.suspend_client(bought.buyer, str(bought.buyer.client_id))


def scope_taken(bought: Bought) -> None:
    db.session.execute(text("UPDATE api_client SET scopes = '[\"orders:read\"]'"))


ENDS = {
    revoked: (403, "grant-revoked"),
    organization_suspended: (404, "ticket-unknown"),
    client_suspended: (404, "ticket-unknown"),
    scope_taken: (403, "insufficient-scope"),
}


@pytest.mark.parametrize(("end", "expected"), ENDS.items(), ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("begun", [False, True], ids=["fresh", "begun"])
def test_a_ticket_ends_with_what_it_hangs_on(bought: Bought, end: Any, expected: tuple[int, str], begun: bool) -> None:
    secret = bought.issue()
    if begun:
        bought.fetch(secret).close()
    before = deliveries()
    with transaction():
        end(bought)
    refused = bought.fetch(secret)
    assert (refused.status_code, slug_of(refused)) == expected
    assert deliveries() == before


def test_it_opens_the_version_it_was_issued_for_and_never_another(bought: Bought) -> None:
    secret = bought.issue()
    market.release_of(bought.listed.provider, bought.listed.dataset_id, b"other bytes\n")
    assert bought.fetch(secret).data == CONTENT
    db.session.execute(text("UPDATE ticket SET sha256 = :other"), {"other": "0" * 64})
    assert bought.fetch(secret).status_code == 404
    assert deliveries() == 1


def test_who_may_not_fetch_gets_no_ticket(bought: Bought) -> None:
    for stranger in (market.buyer(), bought.listed.provider):
        with pytest.raises(NotFound):
            bought.issue(actor=stranger)
    assert db.session.scalars(select(Ticket)).all() == []


def test_a_declared_purpose_goes_with_the_ticket_and_no_request_changes_it(bought: Bought) -> None:
    secret = bought.issue("research")
    bought.fetch(secret, Musubi_Purpose="medical").close()
    assert db.session.scalars(select(Delivery.purpose)).all() == ["research"]


@pytest.mark.parametrize(("purpose", "refusal"), [("medical", PurposeNotPermitted), ("研究", PurposeUnknown)])
def test_a_ticket_is_not_issued_for_a_purpose_that_the_terms_do_not_permit(
    bought: Bought, purpose: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        bought.issue(purpose)
    assert db.session.scalars(select(Ticket)).all() == []


def test_tickets_are_forgotten_after_a_day(bought: Bought) -> None:
    bought.issue()
    with clock.stopped(clock.now() + tickets.KEPT_FOR - timedelta(seconds=1)):
        tickets.forget()
    assert len(db.session.scalars(select(Ticket)).all()) == 1
    with clock.stopped(clock.now() + tickets.KEPT_FOR + timedelta(seconds=1)):
        tickets.forget()
    assert db.session.scalars(select(Ticket)).all() == []
