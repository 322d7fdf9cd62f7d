"""Hostile and odd requests for consent, each with what must come of it."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.identity.models import ApiClient
from marketplace.identity.oauth.models import AuthorizationCode, AuthorizationRequest
from marketplace.identity.states import Assurance, AuthenticationMethod
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.trade import call
from tests.identity.oauth.people import KEY, ODD, OTHER_KEY, proof
from tests.web.people import (
    CHALLENGE,
    ISSUER,
    PASSWORD,
    REDIRECT_URI,
    VERIFIER,
    Browser,
    Someone,
    asking,
    change,
    program,
    signed_in,
    someone,
    told,
)


@pytest.fixture
def who(app: Flask) -> Someone:
    someone()  # somebody else, whom nothing here concerns
    return someone()


@pytest.fixture
def browser(app: Flask, who: Someone) -> Browser:
    return signed_in(app, who)


def codes() -> int:
    return len(db.session.scalars(select(AuthorizationCode)).all())


def waiting() -> list[AuthorizationRequest]:
    return list(db.session.scalars(select(AuthorizationRequest).where(AuthorizationRequest.answered_at.is_(None))))


def shown(browser: Browser, **changes: str) -> str:
    """The address of the consent page of a good request."""
    answer = browser.get(asking(program(), **changes))
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert address.startswith("/consent/arq_"), address
    return str(address)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param(REDIRECT_URI + "/", id="O1 trailing slash"),
        pytest.param(REDIRECT_URI + "?x=1", id="O2 extra query"),
        pytest.param("https://app.example/x/../back", id="O3 dot segments"),
        pytest.param("https://evil.example/back", id="O4 other host"),
        pytest.param("https://app.example:8443/back", id="O5 other port"),
        pytest.param("https://app.example/BACK", id="O6 case change"),
        pytest.param("https://app.example@evil.example/back", id="O7 userinfo"),
        pytest.param("", id="O7 none"),
        pytest.param("javascript:alert(1)", id="O7 script"),
    ],
)
def test_an_unregistered_address_is_never_gone_to(browser: Browser, redirect_uri: str) -> None:
    answer = browser.get(asking(program(), redirect_uri=redirect_uri))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert answer.mimetype == "text/html"
    assert not redirect_uri or redirect_uri not in answer.text
    assert waiting() == []


@pytest.mark.parametrize("client_id", ["cli_" + "0" * 32, "nobody", "", "cli_\u00e9"])
def test_o8_an_unknown_client_is_shown_a_page(browser: Browser, client_id: str) -> None:
    answer = browser.get(asking(program(), client_id=client_id))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert waiting() == []


@pytest.mark.parametrize(
    ("without", "changes", "error"),
    [
        pytest.param("code_challenge", {}, "invalid_request", id="O9 no PKCE"),
        pytest.param("", {"code_challenge_method": "plain"}, "invalid_request", id="O11 plain"),
        pytest.param("code_challenge_method", {}, "invalid_request", id="O12 method omitted"),
        pytest.param("", {"code_challenge": CHALLENGE[:-1]}, "invalid_request", id="O13 short challenge"),
        pytest.param("", {"code_challenge": CHALLENGE[:-1] + "!"}, "invalid_request", id="O13 alphabet"),
        pytest.param("", {"response_type": "token"}, "unsupported_response_type", id="O14 token"),
        pytest.param("", {"response_type": "code id_token"}, "unsupported_response_type", id="O15 hybrid"),
        pytest.param("response_type", {}, "invalid_request", id="O16 no response type"),
        pytest.param("", {"scope": "everything"}, "invalid_scope", id="O17 unknown scope"),
        pytest.param("", {"resource": "https://other.example"}, "invalid_target", id="O67 other resource"),
        pytest.param("", {"max_age": "soon"}, "invalid_request", id="max_age"),
        pytest.param("", {"request": "e30."}, "invalid_request", id="request object"),
    ],
)
def test_what_is_wrong_is_told_to_the_program_with_state_and_issuer(
    browser: Browser, without: str, changes: dict[str, str], error: str
) -> None:
    said = told(browser.get(asking(program(), without=without, **changes)))
    assert said["error"] == error
    assert (said["state"], said["iss"]) == ("s-1", ISSUER)  # O22
    assert "code" not in said
    assert waiting() == []


def test_o10_a_confidential_client_needs_pkce_as_well(browser: Browser) -> None:
    secret = {"authentication_method": AuthenticationMethod.CLIENT_SECRET_BASIC.value, "secret_sha256": "ab" * 32}
    said = told(browser.get(asking(program(**secret), without="code_challenge")))
    assert said["error"] == "invalid_request"
    assert waiting() == []


@pytest.mark.parametrize(
    "name",
    [pytest.param("client_id", id="O18"), pytest.param("code_challenge", id="O19"), "state", "redirect_uri", "scope"],
)
def test_a_repeated_parameter_is_shown_a_page(browser: Browser, name: str) -> None:
    client = program()
    value = {"client_id": client.id, "redirect_uri": REDIRECT_URI}.get(name, CHALLENGE)
    answer = browser.get(asking(client, (name, value)))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert waiting() == []


def test_o20_only_resource_may_be_repeated(browser: Browser) -> None:
    answer = browser.get(asking(program(), ("resource", ISSUER), resource=ISSUER))
    assert answer.headers["Location"].startswith("/consent/")


def test_o21_success_names_the_issuer(app: Flask, browser: Browser, who: Someone) -> None:
    address = shown(browser)
    said = told(browser.fill(address, {"decision": "allow", "member_id": who.member.id}))
    assert said.keys() == {"code", "state", "iss"}
    assert (said["state"], said["iss"]) == ("s-1", ISSUER)
    assert codes() == 1


@pytest.mark.parametrize("outcome", ["allow", "deny", "refused"])
def test_o23_a_state_with_line_ends_splits_no_header(browser: Browser, who: Someone, outcome: str) -> None:
    state = "a\r\nSet-Cookie: evil=1\r\n\r\n<b>"
    if outcome == "refused":
        answer = browser.get(asking(program(), state=state, scope="everything"))
    else:
        address = shown(browser, state=state)
        answer = browser.fill(address, {"decision": outcome, "member_id": who.member.id})
    assert told(answer)["state"] == state
    assert "evil" not in "".join(answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    ("traits", "changes", "error"),
    [
        pytest.param({"par_required": True}, {}, "invalid_request", id="D1 not pushed"),
        pytest.param({"grant_types": ["client_credentials"]}, {}, "unauthorized_client", id="not for codes"),
        pytest.param({}, {"response_mode": "fragment"}, "invalid_request", id="fragment"),
        pytest.param({}, {"dpop_jkt": "x"}, "invalid_request", id="dpop_jkt"),
        pytest.param({}, {"registration": "{}"}, "invalid_request", id="registration"),
        pytest.param({}, {"authorization_details": "x"}, "invalid_authorization_details", id="details"),
        pytest.param({}, {"scope": "market:operate"}, "invalid_scope", id="scope of others"),
        pytest.param({}, {"prompt": "none"}, "consent_required", id="no page"),
    ],
)
def test_o22_whatever_is_refused_its_redirect_names_state_and_issuer(
    app: Flask, browser: Browser, traits: dict[str, Any], changes: dict[str, str], error: str
) -> None:
    said = told(browser.get(asking(program(**traits), **changes)))
    assert (said["error"], said["state"], said["iss"]) == (error, "s-1", ISSUER)
    assert "code" not in said
    assert waiting() == []
    assert codes() == 0


@pytest.mark.parametrize("length", [4096, 4097, 12_000])
def test_o24_a_long_state_comes_back_or_is_refused(browser: Browser, who: Someone, length: int) -> None:
    said = browser.get(asking(program(), state="s" * length, scope="everything"))
    assert told(said).get("state") == ("s" * length if length <= 4096 else None)
    answer = browser.get(asking(program(), state="s" * length))
    if length <= 4096:
        address = answer.headers["Location"]
        allowed = told(browser.fill(address, {"decision": "allow", "member_id": who.member.id}))
        assert allowed["state"] == "s" * length
    else:
        assert told(answer)["error"] == "invalid_request"


def test_o25_an_unknown_parameter_is_ignored(browser: Browser) -> None:
    assert shown(browser, colour="blue", nonce="n", ui_locales="ja")


def test_o26_nothing_on_the_way_is_kept_or_told_to_others(browser: Browser, who: Someone) -> None:
    client = program()
    answers = [
        browser.get(asking(client)),
        browser.get(asking(client, scope="x")),
        browser.get(asking(client, client_id="")),
    ]
    address = answers[0].headers["Location"]
    answers += [browser.get(address), browser.post(address, {"decision": "allow", "member_id": who.member.id})]
    assert [answer.status_code for answer in answers] == [303, 303, 400, 200, 303]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_o26_a_password_is_not_sent_on(app: Flask) -> None:
    known = someone(password=PASSWORD)
    visitor = Browser(app)
    address = visitor.get(asking(program())).headers["Location"]
    page = visitor.get(address).headers["Location"]
    answer = visitor.fill(page, {"email": known.person.email, "password": PASSWORD}, to="/sign-in")
    assert answer.status_code == 303  # 307 and 308 would have the browser post it again
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("mark", [None, "", "x.y", "é.é", "0" * 32 + "." + "0" * 64])
def test_o27_an_answer_without_its_mark_is_refused(browser: Browser, who: Someone, mark: str | None) -> None:
    address = shown(browser)
    browser.get(address)
    form = {"decision": "allow", "member_id": who.member.id} | ({} if mark is None else {"form_token": mark})
    answer = browser.send(address, form)
    assert answer.status_code == 403
    assert codes() == 0
    assert len(waiting()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
def test_an_answer_from_another_site_is_refused_whatever_it_carries(
    browser: Browser, who: Someone, headers: dict[str, str]
) -> None:
    address = shown(browser)
    browser.get(address)
    form = {"decision": "allow", "member_id": who.member.id, "form_token": browser.mark()}
    assert browser.send(address, form, **headers).status_code == 403
    assert codes() == 0
    assert browser.send(address, form, Origin="http://localhost").status_code == 303


def test_o28_the_consent_page_stands_in_no_frame(browser: Browser) -> None:
    policy = browser.get(shown(browser)).headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://app.example;" in policy
    assert "script" not in policy


def test_o29_whoever_is_not_signed_in_any_more_signs_in_first(app: Flask, browser: Browser, who: Someone) -> None:
    address = shown(browser)
    browser.get(address)
    with clock.stopped(clock.now() + timedelta(minutes=31)):
        answer = browser.post(address, {"decision": "allow", "member_id": who.member.id})
    assert answer.headers["Location"].startswith("/sign-in?next=%2Fconsent%2Farq_")
    assert codes() == 0


def test_o29_a_form_shown_to_somebody_else_leads_to_signing_in(app: Flask, browser: Browser, who: Someone) -> None:
    other = signed_in(app, someone())
    address = shown(browser)
    browser.get(address)
    other.seen = browser.seen
    answer = other.post(address, {"decision": "allow", "member_id": who.member.id})
    assert answer.headers["Location"].startswith("/sign-in?next=%2Fconsent%2Farq_")
    assert codes() == 0


def test_o29_nobody_consents_as_somebody_elses_membership(app: Flask, browser: Browser) -> None:
    stranger = someone()
    address = shown(browser)
    answer = browser.fill(address, {"decision": "allow", "member_id": stranger.member.id})
    assert answer.status_code == 400
    assert codes() == 0


def test_o30_without_a_page_nobody_is_login_required_and_somebody_consent_required(
    app: Flask, browser: Browser
) -> None:
    nobody = told(Browser(app).get(asking(program(), prompt="none")))
    assert (nobody["error"], nobody["state"], nobody["iss"]) == ("login_required", "s-1", ISSUER)
    assert told(browser.get(asking(program(), prompt="none")))["error"] == "consent_required"
    assert waiting() == []
    assert codes() == 0


@pytest.mark.parametrize(
    "altered",
    [
        {"scope": "grants:read"},
        {"client_id": "cli_" + "0" * 32},
        {"redirect_uri": "https://evil.example/back"},
        {"state": "other"},
        {"decision": "maybe"},
    ],
)
def test_o31_an_altered_answer_is_refused(browser: Browser, who: Someone, altered: dict[str, str]) -> None:
    address = shown(browser)
    answer = browser.fill(address, {"decision": "allow", "member_id": who.member.id} | altered)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert codes() == 0
    assert len(waiting()) == 1


def test_o31_a_query_on_the_answer_changes_nothing(app: Flask, browser: Browser, who: Someone) -> None:
    client = program()
    address = browser.get(asking(client)).headers["Location"]
    browser.get(address)
    altered = urlencode({"scope": "grants:read", "redirect_uri": "https://evil.example/back"})
    said = told(browser.post(f"{address}?{altered}", {"decision": "allow", "member_id": who.member.id}))
    assert change(app, client, said["code"]).json["scope"] == "organization:read"


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_o32_no_other_site_may_read_the_answer(app: Flask, browser: Browser, method: str) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = browser.client.open(asking(program()), method=method, headers=headers)
    assert not [name for name, _value in answer.headers.items() if name.lower().startswith("access-control")]


def test_a_request_is_answered_once(browser: Browser, who: Someone) -> None:
    address = shown(browser)
    form = {"decision": "allow", "member_id": who.member.id}
    told(browser.fill(address, form))
    assert browser.post(address, form).status_code == 400
    assert browser.get(address).status_code == 400
    assert codes() == 1


def test_a_request_runs_out(browser: Browser, who: Someone) -> None:
    address = shown(browser)
    browser.get(address)
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        answer = browser.post(address, {"decision": "allow", "member_id": who.member.id})
    assert answer.status_code == 400
    assert codes() == 0


def test_saying_no_is_told_to_the_program(browser: Browser) -> None:
    said = told(browser.fill(shown(browser), {"decision": "deny"}))
    assert (said["error"], said["state"], said["iss"]) == ("access_denied", "s-1", ISSUER)
    assert codes() == 0
    assert not db.session.scalars(select(Entry).where(Entry.verb == "identity.consent.given")).all()


def test_nobody_signs_in_first_and_comes_back(app: Flask) -> None:
    nobody = Browser(app)
    address = nobody.get(asking(program())).headers["Location"]
    assert nobody.get(address).headers["Location"].startswith("/sign-in?next=%2Fconsent%2Farq_")


@pytest.mark.parametrize("changes", [{"max_age": "60"}, {"max_age": "0"}, {"prompt": "login"}])
def test_an_old_sign_in_is_repeated_where_the_program_asks(app: Flask, who: Someone, changes: dict[str, str]) -> None:
    browser = signed_in(app, who)
    with clock.stopped(clock.now() + timedelta(seconds=61)):
        address = shown(browser, **changes)
        assert browser.get(address).headers["Location"].startswith("/sign-in?next=%2Fconsent%2F")
        again = signed_in(app, who)
        assert again.get(address).status_code == 200


def test_a_fresh_sign_in_is_taken(browser: Browser) -> None:
    assert browser.get(shown(browser, max_age="600")).status_code == 200


def test_a_second_factor_is_asked_for_where_the_program_asks(app: Flask, browser: Browser, who: Someone) -> None:
    address = shown(browser, acr_values="aal2")
    answer = browser.get(address)
    assert answer.headers["Location"].startswith("/sign-in/second-factor?next=%2Fconsent%2F")
    assert signed_in(app, who, Assurance.AAL2).get(address).status_code == 200


def pushed(app: Flask, client: ApiClient, **changes: str) -> str:
    """The address to which a program sends its user after it pushed a good request."""
    form = dict(parse_qsl(urlsplit(asking(client, **changes)).query))
    answer = call(app, "POST", "/oauth/par", data=form)
    assert answer.status_code == 201, answer.text
    return "/oauth/authorize?" + urlencode({"client_id": client.id, "request_uri": answer.json["request_uri"]})


def test_d2_a_pushed_request_is_shown_once(app: Flask, browser: Browser, who: Someone) -> None:
    client = program(par_required=True)
    address = pushed(app, client)
    shown_at = browser.get(address).headers["Location"]
    again = browser.get(address)
    assert again.status_code == 400
    assert "Location" not in again.headers
    said = told(browser.fill(shown_at, {"decision": "allow", "member_id": who.member.id}))
    assert change(app, client, said["code"]).status_code == 200
    assert codes() == 1


def test_d3_d4_a_pushed_request_too_late_or_of_another_is_shown_a_page(app: Flask, browser: Browser) -> None:
    client = program()
    address = pushed(app, client)
    with clock.stopped(clock.now() + timedelta(seconds=60)):
        late = browser.get(address)
    stolen = browser.get(address.replace(client.id, program().id))
    for answer in (late, stolen):
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    assert browser.get(address).headers["Location"].startswith("/consent/")


def test_d10_a_code_asked_for_with_a_key_is_changed_with_that_key_alone(
    app: Flask, browser: Browser, who: Someone
) -> None:
    client = program()
    address = browser.get(asking(client, dpop_jkt=KEY.thumbprint())).headers["Location"]
    code = told(browser.fill(address, {"decision": "allow", "member_id": who.member.id}))["code"]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER,
        "client_id": client.id,
    }  # fmt: skip
    statuses = [
        call(app, "POST", "/oauth/token", data=form, headers={"DPoP": one} if one else {}).status_code
        for one in (None, proof(key=OTHER_KEY), proof(key=KEY))
    ]
    assert statuses == [400, 400, 200]


def test_odd_answers_and_codes_are_answered(browser: Browser, who: Someone) -> None:
    address = shown(browser)
    browser.get(address)
    for odd in ODD:
        for form in ({"decision": odd, "member_id": who.member.id}, {"decision": "allow", "member_id": odd}):
            assert browser.post(address, form).status_code == 400, form
    assert codes() == 0
    assert {browser.get("/consent/" + quote(odd[:200])).status_code for odd in ODD} <= {400, 404}
    browser.get("/device")
    for odd in ODD:
        assert browser.post("/device", {"user_code": odd}).status_code in {400, 404}, odd
    assert browser.fill(address, {"decision": "allow", "member_id": who.member.id}).status_code == 303
