"""What other sites, thieves and guessers do to people's browsers, each with what must come of it."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.app import create_app
from marketplace.identity.guards import permission_of
from marketplace.identity.login.models import LoginSession
from marketplace.identity.login.signing_in import FAILURES_OF_ADDRESS_MAX
from marketplace.identity.models import Person
from marketplace.identity.oauth import throttle
from marketplace.identity.permissions import PERMISSIONS
from marketplace.identity.states import PersonState
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.trade import call, row_counts
from tests.web.people import (
    PASSWORD,
    Browser,
    Someone,
    asking,
    code_now,
    enter,
    program,
    set_up_generator,
    signed_in,
    someone,
)

OTHER = "quite another one, this"


@pytest.fixture
def who(app: Flask) -> Someone:
    return someone(password=PASSWORD)


def forms_of(app: Flask) -> list[str]:
    """Every address of the pages that takes a form."""
    return [
        re.sub(r"<\w+>", "x", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("web_") and "POST" in (rule.methods or set())
    ]


def sessions() -> int:
    return (
        db.session.scalar(select(func.count()).select_from(LoginSession).where(LoginSession.revoked_at.is_(None))) or 0
    )


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/oauth/authorize"])
def test_w1_another_host_is_refused(app: Flask, path: str) -> None:
    answer = call(app, "GET", path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_w2_forwarded_headers_change_nothing(app: Flask, who: Someone) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    browser = Browser(app, headers=forged)
    answer = enter(browser, who)
    assert answer.headers["Location"] == "/account"
    assert browser.post("/sign-out", Origin="https://evil.example").status_code == 403


def test_w3_every_form_needs_its_mark_and_to_come_from_here(app: Flask, who: Someone) -> None:
    browser = signed_in(app, who)
    browser.get("/account")
    mark = browser.mark()
    before = row_counts()
    addresses = forms_of(app)
    assert len(addresses) >= 20
    for path in addresses:
        assert browser.send(path).status_code == 403, path
        assert browser.send(path, {"form_token": "x.y"}).status_code == 403, path
        assert browser.send(path, {"form_token": mark}, Sec_Fetch_Site="cross-site").status_code == 403, path
        assert browser.send(path, {"form_token": mark}, Origin="https://evil.example").status_code == 403, path
        assert browser.send(path, {"form_token": mark}, Origin="null").status_code == 403, path
    assert row_counts() == before
    assert browser.get("/account").status_code == 200


def test_w3_a_refused_form_is_explained_to_whoever_sent_it(app: Flask) -> None:
    browser = Browser(app)
    assert "no longer good" in browser.send("/sign-in", {"email": "a", "password": "b"}).text
    assert "another site" in browser.send("/sign-in", {}, Origin="https://evil.example").text


def test_w3_the_mark_of_one_browser_is_worth_nothing_in_another(app: Flask, who: Someone) -> None:
    mine, theirs = Browser(app), Browser(app)
    mine.get("/sign-in")
    theirs.seen = mine.seen
    answer = theirs.post("/sign-in", {"email": who.person.email, "password": PASSWORD})
    assert answer.headers["Location"].startswith("/sign-in?")
    assert sessions() == 0


def test_w3_nothing_changes_by_a_get(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        permission = permission_of(app.view_functions[rule.endpoint])
        if rule.endpoint.startswith("web_") and permission is not None:
            assert PERMISSIONS[permission].changes == ("POST" in (rule.methods or set())), rule


def test_w4_a_token_from_before_the_sign_in_is_worth_nothing(app: Flask, who: Someone) -> None:
    browser = Browser(app)
    browser.client.set_cookie("musubi", "chosen-by-somebody-else")
    assert enter(browser, who).status_code == 303
    assert browser.cookie() not in {None, "chosen-by-somebody-else"}
    thief = Browser(app)
    thief.client.set_cookie("musubi", "chosen-by-somebody-else")
    assert thief.get("/account").status_code == 303


def test_w4_a_new_sign_in_ends_the_session_before_it(app: Flask, who: Someone) -> None:
    browser, old = Browser(app), Browser(app)
    enter(browser, who)
    first = browser.cookie()
    assert first
    old.client.set_cookie("musubi", first)
    assert old.get("/account").status_code == 200
    enter(browser, who)
    assert browser.cookie() != first
    assert old.get("/account").status_code == 303
    assert sessions() == 1


def test_w5_signing_out_ends_the_session_on_the_server(app: Flask, who: Someone) -> None:
    browser, thief = signed_in(app, who), Browser(app)
    stolen = browser.cookie()
    assert stolen
    browser.get("/account")
    assert browser.post("/sign-out").headers["Location"] == "/"
    assert browser.cookie() is None
    thief.client.set_cookie("musubi", stolen)
    assert thief.get("/account").headers["Location"].startswith("/sign-in")
    assert sessions() == 0


def test_w6_another_password_ends_all_other_sessions_and_renews_this_one(app: Flask, who: Someone) -> None:
    browser, other, stranger = signed_in(app, who), signed_in(app, who), signed_in(app, someone())
    before = browser.cookie()
    wrong = browser.fill("/account/password", {"old": "wrong", "password": OTHER})
    assert wrong.status_code == 401
    assert other.get("/account").status_code == 200
    assert browser.post("/account/password", {"old": PASSWORD, "password": "12345678"}).status_code == 422
    changed = browser.post("/account/password", {"old": PASSWORD, "password": OTHER})
    assert changed.headers["Location"] == "/account"
    assert browser.cookie() != before
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert stranger.get("/account").status_code == 200
    assert enter(Browser(app), who).status_code == 401
    assert enter(Browser(app), who, OTHER).status_code == 303


def test_w7_nobody_wrong_and_disabled_look_alike(app: Flask, who: Someone) -> None:
    shut = someone(password=PASSWORD, state=PersonState.DISABLED.value)
    nobody = someone()
    nobody.person.email = "nobody@example.jp"
    answers = []
    for somebody, password in ((who, "wrong"), (nobody, PASSWORD), (shut, PASSWORD)):
        browser = Browser(app)
        answer = enter(browser, somebody, password)
        page = re.sub(r'name="form_token" value="[^"]*"', "", answer.text).replace(somebody.person.email, "")
        answers.append((answer.status_code, page, sorted(answer.headers.keys()), browser.cookie()))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401
    assert sessions() == 0


def test_w7_a_forgotten_password_is_answered_alike_for_everybody(app: Flask, who: Someone) -> None:
    pages = []
    for email in (who.person.email, "nobody@example.jp", "no address"):
        answer = Browser(app).fill("/forgotten", {"email": email})
        pages.append((answer.status_code, answer.text))
    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == 200


def test_w8_who_guesses_is_shut_out_and_the_person_is_not(app: Flask, who: Someone) -> None:
    guesser, person = Browser(app, peer="203.0.113.5"), Browser(app, peer="198.51.100.7")
    for _ in range(FAILURES_OF_ADDRESS_MAX):
        assert enter(guesser, who, "wrong").status_code == 401
    shut = enter(guesser, who)
    assert shut.status_code == 429
    assert int(shut.headers["Retry-After"]) > 0
    assert guesser.cookie() is None
    assert enter(person, who).status_code == 303
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        assert enter(guesser, who).status_code == 303


def test_w9_a_code_counts_once(app: Flask, who: Someone) -> None:
    secret, _codes = set_up_generator(app, who)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        code = code_now(secret)
        first, second = Browser(app), Browser(app)
        enter(first, who)
        assert first.fill("/sign-in/code", {"code": code}).status_code == 303
        enter(second, who)
        assert second.fill("/sign-in/code", {"code": code}).status_code == 401
        assert second.cookie() is None


HOSTILE = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "http:evil.example",
    "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "evil.example", " //evil.example", "/é", "/%0a\r\nX: y",
]  # fmt: skip


@pytest.mark.parametrize("following", HOSTILE)
def test_w12_nobody_is_sent_to_another_site(app: Flask, who: Someone, following: str) -> None:
    browser = Browser(app)
    shown = browser.client.get("/sign-in", query_string={"next": following})
    assert shown.status_code == 400
    browser.get("/sign-in")
    answer = browser.post("/sign-in", {"email": who.person.email, "password": PASSWORD, "next": following})
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert sessions() == 0


def test_w12_a_page_of_ours_is_gone_to(app: Flask, who: Someone) -> None:
    browser = Browser(app)
    browser.get("/sign-in?next=/device%3Fuser_code%3DBCDF-GHJK")
    form = {"email": who.person.email, "password": PASSWORD, "next": "/device?user_code=BCDF-GHJK"}
    assert browser.post("/sign-in", form).headers["Location"] == "/device?user_code=BCDF-GHJK"


@pytest.mark.parametrize("extra", [{"role": "owner"}, {"person_id": "per_1"}, {"acr": "aal3"}, {"state": "active"}])
def test_w13_a_field_that_the_form_does_not_have_is_refused(app: Flask, who: Someone, extra: dict[str, str]) -> None:
    browser = Browser(app)
    answer = browser.fill("/sign-in", {"email": who.person.email, "password": PASSWORD} | extra)
    assert answer.status_code == 400
    assert sessions() == 0


def test_w13_a_field_given_twice_is_refused(app: Flask, who: Someone) -> None:
    browser = Browser(app)
    form = {"email": [who.person.email, "x@example.jp"], "password": PASSWORD}
    assert browser.fill("/sign-in", form).status_code == 400
    assert sessions() == 0


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "BREW"])
def test_w14_pages_answer_to_no_other_method(app: Flask, method: str) -> None:
    for path in ("/sign-in", "/account", "/device", "/consent/arq_x", "/oauth/authorize", "/sign-out"):
        assert call(app, method, path).status_code == 405, path


def test_w15_pages_of_people_carry_the_headers_whatever_they_answer(app: Flask, who: Someone) -> None:
    browser = signed_in(app, who)
    address = browser.get(asking(program())).headers["Location"]
    answers = [
        browser.get(path) for path in ("/account", address, "/consent/arq_x", "/invitation/x", "/sign-in?next=//x")
    ]
    answers += [browser.send("/account/password"), browser.get("/sign-in/passkey"), browser.get("/oauth/authorize")]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 404, 400, 403, 200, 400]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_cookies_are_for_this_host_alone_and_for_no_script(app: Flask, who: Someone) -> None:
    browser = Browser(app)
    browser.get("/sign-in")
    answer = browser.post("/sign-in", {"email": who.person.email, "password": PASSWORD})
    cookies = answer.headers.getlist("Set-Cookie")
    assert any(cookie.startswith("musubi=") for cookie in cookies)
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


def test_over_tls_the_cookies_are_host_cookies(clone, make_settings) -> None:
    base_url = "https://data.example"
    app = create_app(make_settings(clone(), base_url=base_url, stripe_webhook_secrets=("whsec_own",)))
    answer = call(app, "GET", "/sign-in", base_url=base_url)
    assert answer.status_code == 200
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-musubi-visitor=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_a_session_is_over_after_half_an_hour_of_silence_and_after_twelve_hours(app: Flask, who: Someone) -> None:
    browser, start = signed_in(app, who), clock.now()
    with clock.stopped(start + timedelta(minutes=29)):
        assert browser.get("/account").status_code == 200
    with clock.stopped(start + timedelta(minutes=60)):
        assert browser.get("/account").status_code == 303
    busy = signed_in(app, who)
    for minutes in range(25, 720, 25):
        with clock.stopped(start + timedelta(minutes=minutes)):
            assert busy.get("/account").status_code == 200, minutes
    with clock.stopped(start + timedelta(minutes=721)):
        assert busy.get("/account").status_code == 303


def test_a_disabled_person_is_out_at_once(app: Flask, who: Someone) -> None:
    browser = signed_in(app, who)
    db.session.get(Person, who.person.id).state = PersonState.DISABLED.value
    db.session.commit()
    assert browser.get("/account").status_code == 303


def test_o122_who_guesses_the_codes_of_devices_is_made_to_wait(app: Flask, who: Someone) -> None:
    guesser, person = signed_in(app, who), signed_in(app, someone())
    guesser.peer = "203.0.113.5"
    guesser.get("/device")
    person.get("/device")
    for _ in range(throttle.FAILURES_MAX):
        assert guesser.post("/device", {"user_code": "BCDF-GHJK"}).status_code == 404
    shut = guesser.post("/device", {"user_code": "BCDF-GHJK"})
    assert shut.status_code == 429
    assert int(shut.headers["Retry-After"]) > 0
    assert guesser.post("/device/answer", {"user_code": "BCDF-GHJK", "decision": "deny"}).status_code == 429
    assert person.post("/device", {"user_code": "BCDF-GHJK"}).status_code == 404


def test_only_the_passkey_pages_run_a_script_and_only_ours(app: Flask, who: Someone) -> None:
    browser = signed_in(app, who)
    for path in ("/sign-in/passkey", "/account/passkeys/new"):
        answer = browser.get(path)
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/static/passkeys.js">']
    for path in ("/sign-in", "/account", "/device"):
        assert "script" not in browser.get(path).headers["Content-Security-Policy"]


def test_an_answer_of_no_passkey_signs_nobody_in(app: Flask, who: Someone) -> None:
    browser = Browser(app)
    for credential in ("", "{}", "[]", "null", '{"rawId": 1}', "結び"):
        answer = browser.fill("/sign-in/passkey", {"credential": credential})
        assert answer.status_code == 401, credential
    assert browser.cookie() is None
    assert sessions() == 0
