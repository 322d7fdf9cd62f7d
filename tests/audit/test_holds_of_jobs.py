"""Each job that deletes, and a hold: what it covers stays whatever the calendar says, and goes when it is lifted."""

import hashlib
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Column, delete, select

from marketplace.access import tickets
from marketplace.access.ticket_models import Ticket
from marketplace.audit import holds, retention
from marketplace.catalog import service as catalog
from marketplace.catalog.disposals.models import ContentDisposal
from marketplace.catalog.harvesting import service as harvests
from marketplace.catalog.harvesting.models import HarvestLine, HarvestRun
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.uploads import service as uploads
from marketplace.catalog.uploads.models import Upload
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.exchange import disposing, harvesting, holding, listing, uploading
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.joining import service as joining
from marketplace.identity.joining.models import Application
from marketplace.identity.login import attempts, invitations, recovery, sessions
from marketplace.identity.login.models import EmailChallenge, Invitation, LoginAttempt, LoginSession
from marketplace.identity.models import AccessToken, ApiClient, Member, Organization, TokenFamily
from marketplace.identity.oauth import access_tokens, authorization_requests, codes, devices, families, registering
from marketplace.identity.oauth.models import (
    AuthorizationCode,
    AuthorizationRequest,
    DeviceAuthorization,
    InitialAccessToken,
)
from marketplace.kit import clock
from marketplace.kit.db import Model, UtcDateTime, db
from marketplace.kit.idempotency import IdempotencyRecord
from marketplace.kit.ids import new_id
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.webhooks import sending
from marketplace.webhooks.models import WebhookEndpoint, WebhookEvent, WebhookMessage
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory
from tests.factories.identity import MemberFactory, PersonFactory

LATER = timedelta(days=400)
_numbers = itertools.count(1)


def row(model: type[Model], **facts: Any) -> None:
    """Keep a row with these facts, and anything that passes in every other column that must be there."""
    now = clock.now()
    times = {"expires_at": now + timedelta(hours=1), "begin_by": now + timedelta(hours=1)}
    for column in model.__table__.columns:
        if column.name not in facts and not column.nullable and column.default is None:
            facts[column.name] = times.get(column.name) or _anything(column)
    db.session.add(model(**facts))


def _anything(column: Column[Any]) -> Any:
    if isinstance(column.type, UtcDateTime):
        return clock.now()
    if column.type.python_type is str:
        digest = hashlib.sha256(str(next(_numbers)).encode()).hexdigest()
        return digest if column.name.endswith("sha256") else f"x{digest[:31]}"
    return 1 if column.type.python_type is int else {}


def upload(who: Actor, member: Member) -> None:
    with transaction():
        dataset = catalog.register_dataset(who, DatasetDraftFactory())
        draft = catalog.open_release(who, dataset.id, "next")
        uploads.open_upload(who, UploadDraft(draft.id, "more.csv", "text/csv", 10))


def removed(who: Actor, member: Member) -> None:
    stored = listing.receive([who.organization_id.encode()], None, None)
    with transaction():
        dataset = catalog.register_dataset(who, DatasetDraftFactory())
        draft = catalog.open_release(who, dataset.id, "next")
        file_id = listing.attach(who, draft.id, "more.csv", "text/csv", stored).id
    with transaction():
        catalog.remove_file(who, file_id)


def ticket(who: Actor, member: Member) -> None:
    on = market.listed()
    grant_id = market.ordered(who, market.offered(on, kind=PriceKind.FREE)).grant_id
    with transaction():
        row(Ticket, **client_of(who), organization_id=who.organization_id, grant_id=grant_id, release_id=on.release_id)


def harvest(who: Actor, member: Member) -> None:
    """A report that a whole run has followed."""
    begun = clock.now()
    with transaction():
        harvest_id = harvests.set_harvest(who, HarvestDraft("https://ckan.example.jp/")).id
        for number in range(2):
            at = {"started_at": begun + number * timedelta(minutes=1), "ended_at": begun + timedelta(hours=1)}
            facts = {"id": new_id("hrn"), "harvest_id": harvest_id, "state": "done"}
            row(HarvestRun, dry_run=False, is_full=True, **facts, **at)
            db.session.flush()
            if not number:
                row(HarvestLine, run_id=facts["id"], outcome="unchanged")


def application(who: Actor, member: Member) -> None:
    with transaction():
        db.session.get_one(Organization, who.organization_id).state = "unchecked"
        row(Application, organization_id=who.organization_id, grounds=[])
        db.session.execute(delete(Member).where(Member.id == member.id))
        db.session.execute(delete(ApiClient).where(ApiClient.id == who.client_id))


def told(who: Actor, member: Member) -> None:
    endpoint = {"id": new_id("whk"), "url": "https://hooks.example.jp/", "secret_sealed": b"sealed"}
    event_id = new_id("evt")
    with transaction():
        row(WebhookEndpoint, organization_id=who.organization_id, events=["x"], state="active", **endpoint)
        row(WebhookEvent, id=event_id)
        db.session.flush()
        row(
            WebhookMessage,
            endpoint_id=endpoint["id"],
            event_id=event_id,
            state="delivered",
            delivered_at=clock.now(),
        )


def client_of(who: Actor) -> dict[str, Any]:
    return {"client_id": who.client_id}


def consent_of(who: Actor, member: Member) -> dict[str, Any]:
    return client_of(who) | {"member_id": member.id, "organization_id": who.organization_id}


def written(model: type[Model], **facts: Callable[[Actor, Member], Any]) -> Callable[[Actor, Member], None]:
    """What keeps a row of a model for an organization and a member of it."""

    def write(who: Actor, member: Member) -> None:
        said = {name: fact(who, member) for name, fact in facts.items()}
        with transaction():
            row(model, **said)

    return write


CLIENT = {"client_id": lambda who, _: who.client_id}
MEMBER = {"member_id": lambda _, member: member.id}
ORGANIZATION = {"organization_id": lambda who, _: who.organization_id}
PERSON = {"person_id": lambda _, member: member.person_id}
JOBS: dict[str, tuple[Callable[[], object], type[Model], Callable[[Actor, Member], None]]] = {
    "identity.lapse_applications": (joining.lapse, Application, application),
    "identity.forget_tokens": (access_tokens.forget_expired, AccessToken, written(AccessToken, **CLIENT)),
    "identity.forget_families": (
        families.forget_expired, TokenFamily, written(TokenFamily, **CLIENT, **MEMBER, **ORGANIZATION),
    ),
    "identity.forget_codes": (
        codes.forget_expired, AuthorizationCode, written(AuthorizationCode, **CLIENT, **MEMBER, **ORGANIZATION),
    ),
    "identity.forget_registration_tokens": (
        registering.forget_expired, InitialAccessToken,
        written(InitialAccessToken, **ORGANIZATION, scopes=lambda *_: ["data:read"]),
    ),
    "identity.forget_invitations": (invitations.forget_expired, Invitation, written(Invitation, **MEMBER)),
    "identity.forget_challenges": (
        recovery.forget_expired, EmailChallenge,
        written(EmailChallenge, **ORGANIZATION, purpose=lambda *_: "join"),
    ),
    "identity.forget_devices": (
        devices.forget_expired, DeviceAuthorization,
        written(DeviceAuthorization, **CLIENT, state=lambda *_: "waiting"),
    ),
    "identity.forget_requests": (
        authorization_requests.forget_expired, AuthorizationRequest, written(AuthorizationRequest, **CLIENT),
    ),
    "identity.forget_attempts": (attempts.forget_expired, LoginAttempt, written(LoginAttempt, **PERSON)),
    "identity.forget_sessions": (sessions.forget_over, LoginSession, written(LoginSession, **PERSON)),
    "catalog.uploads_expired": (uploading.expire, Upload, upload),
    "catalog.forget_harvest_lines": (harvesting.forget, HarvestLine, harvest),
    "catalog.dispose_due": (disposing.dispose_due, ContentDisposal, removed),
    "access.forget_tickets": (tickets.forget, Ticket, ticket),
    "mail.forget": (holding.forget_letters, Mail, written(Mail, recipient=lambda _, member: member.email.upper())),
    "webhooks.forget": (sending.forget, WebhookEvent, told),
    "idempotency.forget": (holding.forget_keys, IdempotencyRecord, written(IdempotencyRecord, **CLIENT)),
}  # fmt: skip


def family(who: Actor, member: Member) -> str:
    """A consent of a member to another organization's program."""
    program = market.party()
    with transaction():
        lasting = {"id": new_id("fam"), "expires_at": clock.now() + 2 * LATER}
        row(
            TokenFamily,
            client_id=program.client_id,
            member_id=member.id,
            organization_id=who.organization_id,
            **lasting,
        )
        db.session.flush()
        row(AccessToken, client_id=program.client_id, family_id=lasting["id"])
    return str(lasting["id"])


ELSEWHERE: dict[str, tuple[Callable[[], object], type[Model], Callable[[Actor, Member], object]]] = {
    "a token of a consent": (access_tokens.forget_expired, AccessToken, family),
    "a device code": (
        devices.forget_expired, DeviceAuthorization,
        written(
            DeviceAuthorization, **ORGANIZATION, client_id=lambda *_: market.party().client_id,
            state=lambda *_: "waiting",
        ),
    ),
    "a link to a person": (
        recovery.forget_expired, EmailChallenge, written(EmailChallenge, **PERSON, purpose=lambda *_: "reset"),
    ),
    "a key of a delegate": (
        holding.forget_keys, IdempotencyRecord,
        written(IdempotencyRecord, client_id=lambda who, _: f"{market.party().client_id} {who.organization_id}"),
    ),
    "a key of a member": (
        holding.forget_keys, IdempotencyRecord,
        written(IdempotencyRecord, client_id=lambda who, _: f"{who.organization_id} {who.organization_id}"),
    ),
    "a key of a client for somebody": (
        holding.forget_keys, IdempotencyRecord,
        written(IdempotencyRecord, client_id=lambda who, _: f"{who.client_id} {market.party().organization_id}"),
    ),
}  # fmt: skip


def left(model: type[Model]) -> int:
    db.session.expire_all()
    return len(db.session.scalars(select(model)).all())


def test_every_job_that_asks_for_holds_is_tried() -> None:
    assert set(JOBS) == {kept.job for kept in retention.RETENTION if kept.held_by != "–"}


@pytest.mark.parametrize("job", [*JOBS, *ELSEWHERE])
def test_what_belongs_to_an_organization_under_a_hold_is_not_deleted(app: Flask, job: str) -> None:
    run, model, write = (JOBS | ELSEWHERE)[job]
    market.install(app)
    under, other = market.party(), market.party()
    for who in (under, other):
        with transaction():
            member = MemberFactory(
                organization=db.session.get_one(Organization, who.organization_id),
                person_id=PersonFactory().id,
                email=f"{who.organization_id}@example.jp",
            )
        write(who, member)
    with transaction():
        hold_id = holding.place(SYSTEM, under.organization_id, "訴訟のため").id
    assert left(model) >= 2
    with clock.stopped(clock.now() + LATER):
        run()
        assert left(model) == 1
        with transaction():
            holds.lift(SYSTEM, hold_id, "和解")
        run()
    assert left(model) == 0
