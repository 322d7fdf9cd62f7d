"""What a person lets programs do: listed, and ended at once with all that came, or may still come, of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.login import sessions
from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth import devices, families, given_consents
from marketplace.identity.oauth.models import DeviceAuthorization
from marketplace.identity.states import Assurance, ClientState, DeviceState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, OrganizationFactory, PersonFactory
from tests.identity.oauth.people import PUBLIC, Party, change_code, opens, party, waits_for_me
from tests.live import wait_until

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def exchanged(app: Flask, whose: Party, code: str | None = None) -> Any:
    """The answer to a code of the person's consent."""
    return app.test_client().post("/oauth/token", data=whose.exchange_form(code or whose.code()))


def renewed(app: Flask, whose: Party, refresh_token: str) -> Any:
    return app.test_client().post("/oauth/token", data=whose.refresh_form(refresh_token))


def approved_device(app: Flask, whose: Party) -> str:
    """The device code of a program that the person has let in, which has not asked since."""
    asked = {"client_id": whose.client.id, "scope": "organization:read"}
    told = app.test_client().post("/oauth/device_authorization", data=asked).json
    row = devices.find_waiting(told["user_code"])
    assert row is not None
    with transaction():
        assert devices.approve(row.id, whose.consent(scope="organization:read"))
    return str(told["device_code"])


def polled(app: Flask, whose: Party, device_code: str) -> Any:
    form = whose.named() | {"grant_type": DEVICE_GRANT, "device_code": device_code}
    return app.test_client().post("/oauth/token", data=form)


def end(whose: Party) -> None:
    with transaction():
        given_consents.end(whose.person.id, whose.client.id, whose.member.id)


def end_everything(whose: Party) -> None:
    with transaction():
        sessions.revoke_all(whose.person.id)


def test_a_consent_is_listed_once_with_all_that_it_covers(app: Flask) -> None:
    whose, another = party(**PUBLIC), party(**PUBLIC)
    for scope in ("organization:read", "grants:read"):
        assert exchanged(app, whose, whose.code(scope=scope)).status_code == 200
    exchanged(app, another)
    [given] = given_consents.list_of(whose.person.id)
    assert (given.client_id, given.member_id) == (whose.client.id, whose.member.id)
    assert (given.program, given.organization_ja) == (whose.client.name, whose.organization.name_ja)
    assert given.scopes == ("grants:read", "organization:read")
    assert given.until - given.since > timedelta(days=29)


@pytest.mark.parametrize("what", ["code", "device"])
def test_what_is_allowed_and_not_fetched_yet_is_listed_until_it_runs_out(app: Flask, what: str) -> None:
    whose = party(**PUBLIC)
    if what == "code":
        whose.code()
    else:
        approved_device(app, whose)
    assert len(given_consents.list_of(whose.person.id)) == 1
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        assert given_consents.list_of(whose.person.id) == []


def test_what_has_ended_or_run_out_is_not_listed(app: Flask) -> None:
    renews, once, shut = party(**PUBLIC), party(grant_types=["authorization_code"]), party(**PUBLIC)
    for whose in (renews, once, shut):
        assert exchanged(app, whose).status_code == 200
    shut.client.state = ClientState.SUSPENDED.value
    db.session.commit()
    assert given_consents.list_of(shut.person.id) == []
    assert len(given_consents.list_of(once.person.id)) == 1
    with clock.stopped(clock.now() + timedelta(hours=2)):
        # It got no refresh token, and its only access token has run out.
        assert given_consents.list_of(once.person.id) == []
        assert len(given_consents.list_of(renews.person.id)) == 1
    with clock.stopped(clock.now() + families.LIFETIME):
        assert given_consents.list_of(renews.person.id) == []


def test_ending_one_consent_ends_its_tokens_codes_and_devices_and_nobody_elses(app: Flask) -> None:
    whose, another = party(**PUBLIC), party(**PUBLIC)
    held, others = exchanged(app, whose).json, exchanged(app, another).json
    code, device, others_code = whose.code(), approved_device(app, whose), another.code()
    end(whose)
    assert opens(app, held["access_token"]) == 401
    assert renewed(app, whose, held["refresh_token"]).json["error"] == "invalid_grant"
    assert exchanged(app, whose, code).json["error"] == "invalid_grant"
    assert polled(app, whose, device).json["error"] == "access_denied"
    assert opens(app, others["access_token"]) == 200
    assert exchanged(app, another, others_code).status_code == 200
    assert given_consents.list_of(whose.person.id) == []
    [placed] = record.search_entries(record.Search(verb=Verb.CONSENT_ENDED.value)).items
    assert (placed.entry.subject, placed.entry.member_id) == (whose.client.id, whose.member.id)
    assert placed.entry.facts == {"codes": 1, "devices": 1, "families": 1}


def test_a_consent_for_one_organization_ends_without_that_for_another(app: Flask) -> None:
    whose = party(**PUBLIC)
    second = MemberFactory(organization=OrganizationFactory(buyer=True), person_id=whose.person.id)
    db.session.commit()
    code = whose.code(member_id=second.id, organization_id=second.organization_id)
    stays, ends = exchanged(app, whose, code).json, exchanged(app, whose).json
    assert len(given_consents.list_of(whose.person.id)) == 2
    end(whose)
    assert (opens(app, ends["access_token"]), opens(app, stays["access_token"])) == (401, 200)
    assert [one.member_id for one in given_consents.list_of(whose.person.id)] == [second.id]


def test_nobody_ends_the_consent_of_another_or_one_twice(app: Flask) -> None:
    whose, stranger = party(**PUBLIC), PersonFactory()
    token = exchanged(app, whose).json["access_token"]
    for person, client, member in (
        (stranger.id, whose.client.id, whose.member.id),
        (whose.person.id, "cli_\0", whose.member.id),
        (whose.person.id, whose.client.id, "mem_\0"),
    ):
        with pytest.raises(NotFound), transaction():
            given_consents.end(person, client, member)
    assert opens(app, token) == 200
    end(whose)
    with pytest.raises(NotFound):
        end(whose)


def test_ending_everything_ends_codes_and_approved_devices_too(app: Flask) -> None:
    whose = party(**PUBLIC)
    code, device = whose.code(), approved_device(app, whose)
    with transaction():
        sessions.open_session(whose.person.id, Assurance.AAL1, "Firefox")
    end_everything(whose)
    assert exchanged(app, whose, code).json["error"] == "invalid_grant"
    assert polled(app, whose, device).json["error"] == "access_denied"
    [placed] = record.search_entries(record.Search(verb=Verb.SESSIONS_REVOKED.value)).items
    assert placed.entry.facts == {"sessions": 1, "codes": 1, "devices": 1, "families": 0}


def change_device(whose: Party, device_code: str) -> Callable[[], None]:
    """Hold a device code as the token endpoint does; what is returned changes it for a family."""
    row = devices.lock(device_code)
    assert row is not None

    def go_on() -> None:
        row.state = DeviceState.USED.value
        families.open_family(whose.client.id, whose.consent(), None)

    return go_on


@pytest.mark.parametrize("finish", [end, end_everything])
@pytest.mark.parametrize("what", ["code", "device"])
def test_what_is_changed_for_tokens_while_the_consent_ends_leaves_none_alive(
    own_database: Flask, what: str, finish: Callable[[Party], None]
) -> None:
    whose = party(**PUBLIC)
    held = whose.code() if what == "code" else approved_device(own_database, whose)

    def beside() -> None:
        with own_database.app_context():
            finish(whose)

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            go_on = (change_code if what == "code" else change_device)(whose, held)
            ending = pool.submit(beside)
            wait_until("the end of the consent to wait for the code", waits_for_me)
            go_on()
        ending.result(timeout=120)
    assert db.session.scalars(select(TokenFamily.revoked_at)).one() is not None
    assert db.session.scalars(select(DeviceAuthorization.state)).all() in ([], [DeviceState.USED.value])
