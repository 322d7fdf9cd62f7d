"""Another OpenID provider is believed only about whom this browser asked, and lets in only whom we know."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy.orm import Session as Database

from marketplace.identity.errors import StepUpRequired
from marketplace.identity.login import provider_wire, providers, sessions
from marketplace.identity.login.errors import (
    AttemptOver,
    IdentityTaken,
    IdentityUnknown,
    LastFactor,
    LinkOver,
    ProviderRefused,
)
from marketplace.identity.login.models import ExternalIdentity, LoginSession
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit import clock
from marketplace.kit.errors import NotFound, Unavailable
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory
from tests.identity.login.conftest import found, person_with_password, signed_in
from tests.identity.login.provider import CLIENT_ID, CLIENT_SECRET, Provider, other_key
from tests.identity.login.test_invitations import invited, member_with_mail, person_of

BEGUN = int(clock.now().timestamp())
LATER = BEGUN + 86_400  # also for a test that runs hours after this line


@pytest.fixture
def provider(session: Database, with_settings: Any) -> Iterator[Provider]:
    served = Provider()
    with_settings(
        oidc_issuer=served.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_acr_map=("urn:example:mfa=aal2", "urn:example:card=aal3"),
    )
    yield served
    served.close()


@pytest.fixture
def known(provider: Provider) -> Person:
    """Somebody whom the provider knows as "hana"."""
    person = PersonFactory(email="other@example.jp")
    link(person, provider.issuer, "hana")
    return person


def link(person: Person, issuer: str, subject: str) -> None:
    with transaction():
        row = ExternalIdentity(issuer=issuer, subject=subject, person_id=person.id, created_at=clock.now())
        providers.db.session.add(row)


def come_back(provider: Provider, subject: str = "hana", **how: Any) -> Any:
    """Go to the provider and back."""
    address, attempt = providers.begin(**how)
    return providers.finish(attempt, provider.authenticate(address, subject), "Firefox", how.get("session"))


def nobody_got_in(session: Database) -> None:
    session.expire_all()
    assert session.query(LoginSession).count() == 0


def test_somebody_known_by_issuer_and_subject_signs_in(provider: Provider, known: Person) -> None:
    answer = come_back(provider, next_path="/consent")
    assert (answer.person_id, answer.next_path) == (known.id, "/consent")
    assert found(answer.session_token).acr is Assurance.AAL1


def test_people_are_sent_with_state_nonce_and_a_challenge(provider: Provider) -> None:
    asked = parse_qs(urlsplit(providers.begin()[0]).query)
    again = parse_qs(urlsplit(providers.begin()[0]).query)
    assert (asked["response_type"], asked["scope"]) == (["code"], ["openid"])
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/sign-in/provider/callback"]
    assert asked["acr_values"] == ["urn:example:mfa urn:example:card"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name][0]) == 43
        assert asked[name] != again[name]


@pytest.mark.parametrize(
    ("acr", "level"),
    [("urn:example:mfa", "aal2"), ("urn:example:card", "aal3"), ("aal3", "aal1"), ("", "aal1"), (7, "aal1")],
)
def test_the_providers_word_for_assurance_counts_where_it_is_named(
    provider: Provider, known: Person, acr: Any, level: str
) -> None:
    provider.lies = {"acr": acr}
    assert found(come_back(provider).session_token).acr == level


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": None},
        {"aud": [CLIENT_ID, "another client"]},
        {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": BEGUN - 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e400},
        {"iat": LATER},
        {"iat": None},
        {"nbf": LATER},
        {"sub": ""},
        {"sub": None},
        {"sub": ["hana"]},
        {"sub": "hana\0"},
        {"sub": "x" * 256},
    ],
    ids="-".join,  # by the names of the claims: what two workers call a test must not hang on the time
)
def test_a_token_with_a_wrong_word_signs_nobody_in(
    provider: Provider, known: Person, session: Database, lies: dict[str, Any]
) -> None:
    provider.lies = lies
    with pytest.raises(ProviderRefused):
        come_back(provider)
    nobody_got_in(session)


def test_a_token_for_several_that_we_asked_for_is_taken(provider: Provider, known: Person) -> None:
    provider.lies = {"aud": [CLIENT_ID, "another client"], "azp": CLIENT_ID}
    assert come_back(provider).person_id == known.id


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512"])
def test_a_token_signed_in_another_way_signs_nobody_in(
    provider: Provider, known: Person, session: Database, alg: str
) -> None:
    provider.alg = alg
    with pytest.raises(ProviderRefused):
        come_back(provider)
    nobody_got_in(session)


@pytest.mark.parametrize("token", ["", "a.b.c", "....", 7, ["x"], "x" * 20_000, "é.é.é", "e30.e30."])
def test_whatever_comes_for_a_token_is_refused_plainly(
    provider: Provider, known: Person, session: Database, token: Any
) -> None:
    provider.token = token
    with pytest.raises(ProviderRefused):
        come_back(provider)
    nobody_got_in(session)


def test_a_token_signed_by_another_key_signs_nobody_in(provider: Provider, known: Person, session: Database) -> None:
    address, attempt = providers.begin()
    query = provider.authenticate(address, "hana")
    forged = RSAKey.generate_key(2048, parameters={"kid": "one"})
    ours, provider.key = provider.key, forged
    provider.token = provider._id_token({"subject": "hana", "client_id": CLIENT_ID, "nonce": _nonce(address)})
    provider.key = ours
    with pytest.raises(ProviderRefused):
        providers.finish(attempt, query, "")
    nobody_got_in(session)


def test_a_provider_that_changed_its_key_is_asked_for_it_again(provider: Provider, known: Person) -> None:
    come_back(provider)
    provider.key, provider.alg = other_key(), "ES256"
    assert come_back(provider).person_id == known.id
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/jwks") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"state": "forged"},
        {"state": None},
        {"state": "é\ud800"},
        {"iss": "https://evil.example"},
        {"code": None},
        {"code": ""},
        {"code": "x" * 5000},
        {"error": "access_denied"},
    ],
    ids=ascii,
)
def test_an_answer_that_this_browser_did_not_ask_for_is_not_taken_to_the_provider(
    provider: Provider, known: Person, session: Database, change: dict[str, Any]
) -> None:
    address, attempt = providers.begin()
    query = provider.authenticate(address, "hana") | change
    with pytest.raises(ProviderRefused):
        providers.finish(attempt, {name: value for name, value in query.items() if value is not None}, "")
    assert "/token" not in provider.asked
    nobody_got_in(session)


def test_a_provider_that_names_itself_must_do_so(provider: Provider, known: Person, session: Database) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    address, attempt = providers.begin()
    query = provider.authenticate(address, "hana")
    del query["iss"]
    with pytest.raises(ProviderRefused):
        providers.finish(attempt, query, "")
    nobody_got_in(session)


def test_a_code_injected_from_another_browser_is_worth_nothing(
    provider: Provider, known: Person, session: Database
) -> None:
    stolen = provider.authenticate(providers.begin()[0], "hana")
    address, attempt = providers.begin()
    own = provider.authenticate(address, "attacker")
    with pytest.raises(ProviderRefused):
        providers.finish(attempt, own | {"code": stolen["code"]}, "")
    nobody_got_in(session)


def test_an_answer_counts_once_and_for_ten_minutes(provider: Provider, known: Person, session: Database) -> None:
    address, attempt = providers.begin()
    with clock.stopped(clock.now() + timedelta(minutes=11)), pytest.raises(AttemptOver):
        providers.finish(attempt, provider.authenticate(address, "hana"), "")
    nobody_got_in(session)
    query = provider.authenticate(address, "hana")
    providers.finish(attempt, query, "")
    with pytest.raises(AttemptOver):
        providers.finish(attempt, query, "")
    with pytest.raises(AttemptOver):
        providers.finish("never-begun", query, "")


def test_an_unknown_person_is_refused_whatever_their_address_says(provider: Provider, session: Database) -> None:
    person = PersonFactory(email="hana@example.jp")
    with pytest.raises(IdentityUnknown):
        come_back(provider)
    nobody_got_in(session)
    assert providers.list_of(person.id) == []


def test_the_same_subject_at_another_provider_is_somebody_else(provider: Provider, session: Database) -> None:
    link(PersonFactory(), "https://other.example", "hana")
    with pytest.raises(IdentityUnknown):
        come_back(provider)
    nobody_got_in(session)


def test_a_disabled_person_does_not_get_in(provider: Provider, known: Person, session: Database) -> None:
    known.state = PersonState.DISABLED.value
    session.flush()
    with pytest.raises(IdentityUnknown):
        come_back(provider)
    nobody_got_in(session)


def test_an_invitation_lets_an_unknown_person_in_without_a_password(provider: Provider, session: Database) -> None:
    member = member_with_mail()
    answer = come_back(provider, invitation_token=invited(member), locale="en")
    person = session.get_one(Person, answer.person_id)
    assert (person.password_hash, person.email, person.locale) == (None, "hana@example.jp", "en")
    assert person_of(member.id) == person.id
    assert found(answer.session_token).member_id == member.id
    assert come_back(provider).person_id == person.id


def test_a_known_person_accepts_an_invitation_and_stays_one_person(provider: Provider, known: Person) -> None:
    member = member_with_mail()
    assert come_back(provider, invitation_token=invited(member)).person_id == known.id
    assert person_of(member.id) == known.id


def test_an_invitation_that_is_over_lets_nobody_in(provider: Provider, session: Database) -> None:
    for token in ("never-sent", "\0"):
        with pytest.raises(LinkOver):
            come_back(provider, invitation_token=token)
    nobody_got_in(session)
    assert session.query(ExternalIdentity).count() == 0


def test_somebody_signed_in_links_their_identity_and_then_signs_in_by_it(provider: Provider) -> None:
    person = person_with_password()
    token, who = signed_in(person.id)
    answer = come_back(provider, session=who)
    assert sessions.find(token) is None
    after = found(answer.session_token)
    assert (after.id, after.authenticated_at) == (who.id, who.authenticated_at)
    assert providers.list_of(person.id) == [provider.issuer]
    assert come_back(provider).person_id == person.id


def test_an_identity_of_another_person_is_not_linked(provider: Provider, known: Person) -> None:
    person = person_with_password()
    token, who = signed_in(person.id)
    with pytest.raises(IdentityTaken):
        come_back(provider, session=who)
    assert providers.list_of(person.id) == []
    assert sessions.find(token) is not None


def test_linking_is_finished_in_the_session_that_began_it(provider: Provider) -> None:
    person = person_with_password()
    _token, who = signed_in(person.id)
    _stranger_token, stranger = signed_in(PersonFactory().id)
    for wrong in (None, stranger, signed_in(person.id)[1]):
        address, attempt = providers.begin(session=who)
        with pytest.raises(ProviderRefused):
            providers.finish(attempt, provider.authenticate(address, "hana"), "", wrong)
    assert providers.list_of(person.id) == providers.list_of(stranger.person_id) == []


def test_linking_and_unlinking_ask_for_a_fresh_proof(provider: Provider, known: Person) -> None:
    _token, who = signed_in(known.id)
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        with pytest.raises(StepUpRequired):
            providers.begin(session=who)
        with pytest.raises(StepUpRequired):
            providers.unlink(who, provider.issuer)
    assert providers.list_of(known.id) == [provider.issuer]


def test_an_identity_is_unlinked_unless_it_is_the_only_way_in(provider: Provider, known: Person) -> None:
    _token, who = signed_in(known.id)
    with pytest.raises(LastFactor), transaction():
        providers.unlink(who, provider.issuer)
    assert providers.list_of(known.id) == [provider.issuer]
    person = person_with_password()
    link(person, provider.issuer, "taro")
    _token, other = signed_in(person.id)
    with transaction():
        providers.unlink(other, provider.issuer)
    with pytest.raises(NotFound):
        providers.unlink(other, provider.issuer)
    with pytest.raises(IdentityUnknown):
        come_back(provider, "taro")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"padding": "x" * 300_000},
    ],
    ids=["issuer", "http", "file", "missing", "endless"],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(provider: Provider, metadata: dict[str, Any]) -> None:
    provider.metadata = metadata
    with pytest.raises(Unavailable):
        providers.begin()


def test_a_provider_that_is_away_is_said_to_be(provider: Provider, with_settings: Any) -> None:
    with_settings(oidc_issuer="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        providers.begin()


def test_without_a_provider_nobody_is_sent_anywhere(session: Database) -> None:
    provider_wire.forget()
    assert not providers.is_set()
    with pytest.raises(ProviderRefused):
        providers.begin()


def _nonce(address: str) -> str:
    return parse_qs(urlsplit(address).query)["nonce"][0]
