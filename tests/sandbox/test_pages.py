"""The hosted payment page, as a browser without JavaScript sees it."""

import html
import re

import pytest

from marketplace.sandbox.models import SandboxObject
from tests.sandbox.conftest import World, line


def test_the_page_says_what_for_how_much_and_that_no_money_moves(world: World) -> None:
    session = world.session()
    answer = world.http.get(session.url)
    assert answer.status_code == 200
    for words in (
        "SANDBOX",
        "実際のお金は動きません",
        "no real money",
        "¥12,690",
        "札幌市 人流データ 2026年版",
        "1か月分の歩行者数 (CSV)",
        "¥690",
        "注文 ord_1",
        "支払う",
        "Try a card that is declined",
    ):
        assert words in answer.text
    assert "Map tiles &lt;b&gt;" in answer.text
    assert "<b>" not in answer.text


def test_the_page_works_under_its_own_content_security_policy(world: World) -> None:
    answer = world.http.get(world.session().url)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://shop.example.jp;" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|style=|\son\w+=|javascript:", answer.text)
    sheet = re.search(r'rel="stylesheet" href="([^"]+)"', answer.text)
    assert sheet
    with world.http.get(world.base.removesuffix("/sandbox") + sheet[1]) as css:
        assert (css.status_code, css.headers["Content-Type"].split(";")[0]) == (200, "text/css")
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_forms_of_the_page_pay_and_decline(world: World) -> None:
    session = world.session()
    home = world.base.removesuffix("/sandbox")
    forms = re.findall(r'<form method="post" action="([^"]+)"', world.http.get(session.url).text)
    assert [form.rpartition("/")[2] for form in forms] == ["pay", "decline", "challenge", "konbini"]
    pay, decline = forms[:2]
    declined = world.http.post(home + decline)
    assert declined.status_code == 402
    assert "The card was declined" in declined.text
    again = re.findall(r'<form method="post" action="([^"]+)"', declined.text)
    assert again == forms
    assert world.http.post(home + pay, allow_redirects=False).status_code == 303


def test_paying_twice_shows_a_page_that_says_so(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    for answer in (world.pay(session.id), world.pay(session.id, "decline")):
        assert answer.status_code == 409
        assert "二重に請求されることはありません" in answer.text
        assert "You are not charged twice" in answer.text
        assert f"https://shop.example.jp/orders/1?session={session.id}" in answer.text
        assert re.findall(r'action="[^"]+/([^"/]+)"', answer.text) == ["dispute"]
    assert world.http.get(f"{world.base}/pay/{session.id}").status_code == 200
    assert world.count(SandboxObject, kind="charge") == 1


@pytest.mark.parametrize("cancel_url", ["https://shop.example.jp/cancel?a=1&b=2", None])
def test_an_expired_session_shows_a_page_that_says_so(world: World, cancel_url: str | None) -> None:
    session = world.session(cancel_url=cancel_url)
    opened = world.http.get(session.url).text
    world.stripe.v1.checkout.sessions.expire(session.id)
    answer = world.pay(session.id)
    assert answer.status_code == 409
    assert "expired or was canceled" in answer.text
    assert "<form" not in answer.text
    for page in (opened, answer.text):
        assert (html.escape(cancel_url or "") in page) is True
        assert ("<a href" in page) is bool(cancel_url)


def test_an_unknown_session_is_a_page_not_found(world: World) -> None:
    for answer in (
        world.http.get(f"{world.base}/pay/cs_test_none"),
        world.http.get(f"{world.base}/pay/a%00b"),
        world.pay("cs_test_none"),
        world.pay("cs_test_none", "decline"),
    ):
        assert answer.status_code == 404
        assert "この支払いは見つかりません" in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_charge_is_no_page_to_pay_at(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    intent = world.stripe.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert world.pay(intent).status_code == 404


def test_an_order_without_description_has_a_page_too(world: World) -> None:
    bare = line()
    del bare["price_data"]["product_data"]["description"]
    session = world.session(line_items=[bare], payment_intent_data={})
    page = world.http.get(session.url).text
    assert "None" not in page
    assert world.pay(session.id).status_code == 303
