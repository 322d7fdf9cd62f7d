"""The payment page plays every rail without JavaScript, in both languages."""

import html
import re

import pytest

from tests.sandbox.conftest import World
from tests.sandbox.test_rails import BANK, cash, customer, states


def buttons(text: str) -> list[str]:
    return [form.rpartition("/")[2] for form in re.findall(r'<form method="post" action="([^"]+)"', text)]


def press(world: World, session_id: str, deed: str) -> str:
    """Press a button of the page and read the page that follows."""
    answer = world.pay(session_id, deed)
    assert answer.status_code == 303, answer.text
    return world.http.get(f"{world.base}/pay/{session_id}").text


def test_the_konbini_page_shows_codes_and_both_ends(world: World) -> None:
    session = world.session()
    shown = press(world, session.id, "konbini")
    assert buttons(shown) == ["till", "let-expire"]
    assert {"familymart", "lawson", "ministop", "seicomart"} <= set(re.findall(r"<td>(\w+)</td>", shown))
    assert "コンビニでお支払いください。" in shown
    assert "Please pay at a konbini." in shown
    assert buttons(press(world, session.id, "till")) == []
    assert states(world, session.id)[1] == "paid"
    assert world.pay(session.id, "let-expire").status_code == 409


def test_a_voucher_that_expired_says_that_nothing_is_charged(world: World) -> None:
    session = world.session()
    press(world, session.id, "konbini")
    assert "入金がないまま終了しました。請求はありません。" in press(world, session.id, "let-expire")
    assert world.pay(session.id, "till").status_code == 409


@pytest.mark.parametrize(("deed", "paid", "over"), [("full", True, 0), ("short", False, 0), ("over", True, 1_000)])
def test_the_bank_page_takes_all_half_or_too_much(world: World, deed: str, paid: bool, over: int) -> None:
    buyer = customer(world)
    session = world.session(customer=buyer, payment_method_options=BANK)
    shown = press(world, session.id, "bank")
    assert buttons(shown) == ["transfer-full", "transfer-short", "transfer-over"]
    assert world.do("virtual_account", buyer)["account_number"] in shown
    assert "お客様専用の口座へお振り込みください。" in shown
    after = press(world, session.id, f"transfer-{deed}")
    assert (states(world, session.id)[1] == "paid") is paid
    assert cash(world, buyer) == over
    assert ("¥6,345" in after) is not paid
    if paid:
        assert world.pay(session.id, "transfer-full").status_code == 409


def test_a_till_is_confirmed_page_says_so(world: World) -> None:
    session = world.session()
    press(world, session.id, "konbini")
    world.do("pay_at_till", session.id, confirmed=False)
    assert "入金を確認しています。" in world.http.get(session.url).text


def test_the_challenge_page_is_passed_or_failed(world: World) -> None:
    session = world.session()
    assert buttons(press(world, session.id, "challenge")) == ["pass", "fail"]
    shown = world.http.get(f"{session.url}/challenge").text
    assert "3-D Secure" in shown
    assert world.pay(session.id, "fail").status_code == 402
    press(world, session.id, "challenge")
    passed = world.pay(session.id, "pass")
    assert passed.headers["Location"].startswith("https://shop.example.jp/orders/1")


def test_a_paid_page_can_be_disputed_once(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    disputed = press(world, session.id, "dispute")
    assert "このお支払いには異議が申し立てられています。" in html.unescape(disputed)
    assert buttons(disputed) == []
    assert world.pay(session.id, "dispute").status_code == 409
    assert len(world.stripe.v1.disputes.list().data) == 1


@pytest.mark.parametrize("deed", ["pass", "till", "transfer-full", "dispute", "bank"])
def test_what_an_open_page_does_not_await_changes_nothing(world: World, deed: str) -> None:
    session = world.session()
    assert world.pay(session.id, deed).status_code == 409
    assert states_without_intent(world, session.id) == ("open", "unpaid")
    assert world.pay(session.id, "unknown").status_code == 404


def states_without_intent(world: World, session_id: str) -> tuple[str, str]:
    session = world.stripe.v1.checkout.sessions.retrieve(session_id)
    return session.status, session.payment_status
