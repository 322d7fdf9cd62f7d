"""What was refused leaves a line in the log that says when, what, to whom and from where, and nothing secret."""

import logging

import pytest
from flask import Flask

from tests.api.trade import Market, call, market_of
from tests.web.people import PASSWORD, Browser, code_now, enter, set_up_generator, signed_in, someone


@pytest.fixture
def market(app: Flask) -> Market:
    return market_of(app)


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "marketplace")


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("refused ")]


def test_a_caller_who_is_turned_away_is_named_by_ids(market: Market, caplog) -> None:
    caplog.clear()
    assert market.buyer.get("/v1/audit/entries").status_code == 403
    [line] = refusals(caplog)
    buyer = market.buyer
    assert line.startswith("refused GET /v1/audit/entries with 403 (")
    assert buyer.organization_id in line
    assert buyer.client_id in line
    assert "127.0.0.1" in line


def test_who_asks_for_what_is_anothers_is_named_with_what_was_asked_for(market: Market, caplog) -> None:
    grant = market.bought()["grant_id"]
    caplog.clear()
    assert market.stranger.get(f"/v1/grants/{grant}").status_code == 404
    [line] = refusals(caplog)
    assert f"GET /v1/grants/{grant} with 404 (not-found)" in line
    assert market.stranger.client_id in line


def test_a_body_that_breaks_the_rules_and_a_stranger_are_told_of(app: Flask, market: Market, caplog) -> None:
    caplog.clear()
    assert market.buyer.post("/v1/orders", {"price_yen": -1}).status_code == 422
    assert call(app, "GET", "/v1/orders").status_code == 401
    body, stranger = refusals(caplog)
    assert "POST /v1/orders with 422" in body
    assert "GET /v1/orders with 401 (not-authenticated) to nobody known" in stranger


def test_nothing_of_an_address_but_its_ids_is_told(app: Flask, caplog) -> None:
    for path in ("/recovery/a-mailed-secret", "/invitation/a-mailed-secret", "/nowhere/a-mailed-secret"):
        assert call(app, "GET", f"{path}?token=a-mailed-secret").status_code >= 400
    assert len(refusals(caplog)) == 3
    assert "a-mailed-secret" not in caplog.text


def test_an_answer_that_lets_somebody_in_is_no_refusal(app: Flask, market: Market, caplog) -> None:
    caplog.clear()
    assert market.buyer.get("/v1/orders").status_code == 200
    assert call(app, "GET", "/").status_code == 200
    assert refusals(caplog) == []


def test_a_client_that_did_not_prove_itself_is_named_and_its_secret_is_not(app: Flask, caplog) -> None:
    form = {"grant_type": "client_credentials", "client_id": "cli_nobody", "client_secret": "what-was-guessed"}
    assert call(app, "POST", "/oauth/token", data=form).status_code == 401
    assert "client cli_nobody of 127.0.0.1 did not prove itself by credentials" in caplog.messages
    assert [line for line in refusals(caplog) if "POST /oauth/token with 401 (invalid_client)" in line]
    assert "what-was-guessed" not in caplog.text


def test_every_token_that_is_issued_is_told_of_by_its_id(market: Market, caplog) -> None:
    caplog.clear()
    token = market.buyer.with_scopes("orders:read").token
    [line] = [line for line in caplog.messages if " is issued to " in line]
    assert line.endswith(f" is issued to {market.buyer.client_id} for {market.buyer.organization_id}")
    assert token not in caplog.text


def test_wrong_passwords_and_codes_are_told_of_without_address_or_word(app: Flask, caplog) -> None:
    who = someone(password=PASSWORD)
    secret, _codes = set_up_generator(app, who)
    caplog.clear()
    assert enter(Browser(app), who, "a wrong guess").status_code == 401
    browser = Browser(app)
    enter(browser, who)
    wrong = f"{(int(code_now(secret)) + 1) % 10**6:06d}"
    assert browser.fill("/sign-in/code", {"code": wrong}).status_code in {401, 422}
    nobody = someone()
    nobody.person.email = "nobody@example.jp"
    assert enter(Browser(app), nobody, "a wrong guess").status_code == 401
    assert f"wrong password for {who.person.id}" in caplog.messages
    assert f"wrong code for {who.person.id} after the right password" in caplog.messages
    assert "wrong password for nobody who could sign in" in caplog.messages
    for secret_word in (who.person.email, "nobody@example.jp", "a wrong guess", wrong):
        assert secret_word not in caplog.text


def test_a_person_who_is_turned_away_is_named(app: Flask, caplog) -> None:
    who = someone()
    browser = signed_in(app, who)
    assert browser.get("/consent/arq_x").status_code == 400
    [line] = refusals(caplog)
    assert who.person.id in line


def test_a_fault_of_ours_is_told_with_its_trace_under_the_number_that_the_caller_has(app, caplog, monkeypatch) -> None:
    monkeypatch.setitem(app.view_functions, "system.read_health", lambda: 1 / 0)
    answer = call(app, "GET", "/v1/health")
    assert answer.status_code == 500
    [fault] = [record for record in caplog.records if record.getMessage() == f"incident {answer.json['incident']}"]
    assert fault.exc_info[0] is ZeroDivisionError
    assert "division" not in answer.text
