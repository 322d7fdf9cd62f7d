"""One wish, one order: whatever dies in between."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.client import orders
from marketplace.client.exchange import Exchange
from marketplace.client.orders import Wish
from marketplace.client.troubles import Denied, Trouble, Unreachable
from tests.client.conftest import SignIn
from tests.client.scripted import Asked, Said, Scripted, problem

OFFER, SHA256 = "ofr_" + "a" * 32, "5" * 64
WISH = Wish(OFFER, SHA256)
ORDERS = "/v1/orders"


def order(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": "ord_1",
        "state": "placed",
        "grant_id": None,
        "rail": "card",
        "payment_state": "open",
        "checkout_url": "https://pay.example/1",
        "amount_gross_yen": 5500,
        "amount_tax_yen": 500,
    }
    return facts | changes


FULFILLED = order(state="fulfilled", grant_id="grt_1", checkout_url=None)


@pytest.fixture
def exchange(server: Scripted, signed_in: SignIn) -> Exchange:
    signed_in()
    return Exchange(server.origin)


def keys(server: Scripted) -> list[str]:
    return [one.headers["idempotency-key"] for one in server.at(ORDERS)]


def kept(home: Path) -> list[Path]:
    return list((home / "orders").glob("*.json"))


def test_a_wish_names_what_was_chosen_and_nothing_else(server: Scripted, exchange: Exchange) -> None:
    server.on(ORDERS, Said(201, FULFILLED))
    orders.place(exchange, Wish(OFFER, SHA256, rail="invoice", coupon_code="C"))
    assert server.at(ORDERS)[0].json == {
        "offer_id": OFFER,
        "accept_terms_sha256": SHA256,
        "rail": "invoice",
        "coupon_code": "C",
    }


def test_the_key_is_on_the_disk_before_the_order_is_sent(server: Scripted, exchange: Exchange, home: Path) -> None:
    found: list[str] = []

    def answer(asked: Asked) -> Said:
        [file] = kept(home)
        found.append(file.read_text())
        return Said(201, order())

    server.on(ORDERS, answer)
    orders.place(exchange, WISH)
    assert keys(server)[0] in found[0]


def die(_response: object) -> None:
    raise KeyboardInterrupt


def test_who_dies_after_sending_orders_the_same_again(
    server: Scripted, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(ORDERS, Said(201, order()))
    with monkeypatch.context() as patch:
        patch.setattr(orders, "json_of", die)
        with pytest.raises(KeyboardInterrupt):
            orders.place(exchange, WISH)
    assert orders.is_begun(exchange, WISH)
    assert orders.place(Exchange(server.origin), WISH)["id"] == "ord_1"
    assert len(set(keys(server))) == 1


def test_a_lost_answer_is_asked_for_under_the_same_key(
    server: Scripted, exchange: Exchange, paused: list[float]
) -> None:
    server.on(ORDERS, Said(201, order(), cut_at=10), Said(201, FULFILLED))
    assert orders.place(exchange, WISH) == FULFILLED
    assert (len(keys(server)), len(set(keys(server)))) == (2, 1)


def test_a_server_that_never_answers_leaves_the_key_for_the_next_time(
    server: Scripted, exchange: Exchange, home: Path
) -> None:
    server.on(ORDERS, problem(500, "unexpected"))
    with pytest.raises(Unreachable):
        orders.place(exchange, WISH)
    server.on(ORDERS, Said(201, FULFILLED))
    orders.place(exchange, WISH)
    assert len(set(keys(server))) == 1
    assert kept(home) == []


def test_what_has_come_to_its_end_is_ordered_anew(server: Scripted, exchange: Exchange, home: Path) -> None:
    server.on(ORDERS, Said(201, FULFILLED))
    orders.place(exchange, WISH)
    assert not orders.is_begun(exchange, WISH)
    orders.place(exchange, WISH)
    assert len(set(keys(server))) == 2


@pytest.mark.parametrize(("status", "stays"), [(409, False), (422, False), (404, False), (403, True)])
def test_a_refused_order_leaves_no_key_unless_it_may_have_been_placed_before(
    server: Scripted, exchange: Exchange, status: int, stays: bool
) -> None:
    server.on(ORDERS, problem(status, "no"))
    with pytest.raises(Trouble):
        orders.place(exchange, WISH)
    assert orders.is_begun(exchange, WISH) is stays


def test_another_buyer_and_another_wish_have_keys_of_their_own(
    server: Scripted, exchange: Exchange, signed_in: SignIn
) -> None:
    server.on(ORDERS, Said(201, order()))
    orders.place(exchange, WISH)
    orders.place(exchange, Wish(OFFER, SHA256, rail="invoice"))
    signed_in(organization_id="org_2")
    orders.place(exchange, WISH)
    assert len(set(keys(server))) == 3


def test_a_key_that_the_exchange_may_have_forgotten_is_not_used_again(
    server: Scripted, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(ORDERS, Said(201, order()))
    orders.place(exchange, WISH)
    then = time.time() + orders.KEPT_SECONDS + 1
    monkeypatch.setattr("marketplace.client.orders.time.time", lambda: then)
    assert not orders.is_begun(exchange, WISH)


def test_the_grant_is_waited_for(server: Scripted, exchange: Exchange, home: Path, paused: list[float]) -> None:
    server.on(ORDERS, Said(201, order()))
    server.on(f"{ORDERS}/ord_1", Said(body=order()), Said(body=FULFILLED))
    placed = orders.place(exchange, WISH)
    assert orders.follow(exchange, WISH, placed, 60) == FULFILLED
    assert paused == [orders.POLL_SECONDS] * 2
    assert kept(home) == []


@pytest.mark.parametrize(
    "comes", [{"rail": "outside", "payment_state": None}, {"rail": "konbini", "payment_state": "processing"}]
)
def test_money_that_comes_days_later_is_not_waited_for(
    server: Scripted, exchange: Exchange, comes: dict[str, Any], paused: list[float]
) -> None:
    assert orders.follow(exchange, WISH, order(**comes), 60)["grant_id"] is None
    assert paused == []


@pytest.mark.parametrize("state", ["expired", "failed"])
def test_an_order_that_is_over_is_said_to_be_over(server: Scripted, exchange: Exchange, home: Path, state: str) -> None:
    server.on(ORDERS, Said(201, order()))
    server.on(f"{ORDERS}/ord_1", Said(body=order(state=state)))
    with pytest.raises(Denied, match="ended without being paid"):
        orders.follow(exchange, WISH, orders.place(exchange, WISH), 60)
    assert kept(home) == []


def test_who_waited_in_vain_may_go_on_with_the_same_order(server: Scripted, exchange: Exchange) -> None:
    server.on(ORDERS, Said(201, order()))
    with pytest.raises(Unreachable, match="goes on with the same order"):
        orders.follow(exchange, WISH, orders.place(exchange, WISH), 0)
    assert orders.is_begun(exchange, WISH)


OFFERED = {
    "id": OFFER,
    "terms_sha256": SHA256,
    "price": {"kind": "one_off", "amount_yen": 5000},
    "due_now": {"amount_net_yen": 5000, "amount_tax_yen": 500, "amount_gross_yen": 5500},
    "promises": [{"ja": "返金なし", "en": "Nothing comes back."}],
    "duration_days": 365,
    "quota_bytes": 2**30,
    "quota_downloads": 10,
}


@pytest.fixture
def offered(server: Scripted, exchange: Exchange) -> Scripted:
    server.on(f"/v1/offers/{OFFER}", Said(body=OFFERED))
    terms = {"sha256": SHA256, "title_ja": "規約", "title_en": "Terms", "text_ja": "研究に限る", "text_en": "Research."}
    server.on(f"/v1/terms/{SHA256}", Said(body=terms))
    server.on(ORDERS, Said(201, FULFILLED))
    return server


def test_terms_and_price_with_tax_are_shown_before_anything_is_bought(offered: Scripted, run: Callable) -> None:
    out, said = run("buy", OFFER, "--yes", code=2)
    assert out == ""
    for shown in ("Research.", SHA256, "Nothing comes back.", "365 days", "1.0 GiB", "¥5,000 once", "¥5,500 (of which"):
        assert shown in said
    assert f"--yes --accept-terms {SHA256}" in said
    assert offered.at(ORDERS) == []


def test_they_are_shown_in_japanese(offered: Scripted, run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    _out, said = run("buy", OFFER, code=2)
    for shown in ("研究に限る", "返金なし", "5,000円（税抜・一括）", "5,500円（うち消費税 500円）"):
        assert shown in said


def test_a_script_names_the_terms_it_accepts(offered: Scripted, run: Callable) -> None:
    run("buy", OFFER, "--yes", "--accept-terms", "6" * 64, code=2)
    assert offered.at(ORDERS) == []
    out, _said = run("buy", OFFER, "--yes", "--accept-terms", SHA256)
    assert "grt_1" in out
    assert len(offered.at(ORDERS)) == 1


def test_other_terms_than_the_offers_are_not_accepted(offered: Scripted, run: Callable) -> None:
    terms = {"sha256": "7" * 64, "title_en": "Others", "text_en": "Everything."}
    offered.on(f"/v1/terms/{SHA256}", Said(body=terms))
    run("buy", OFFER, "--yes", "--accept-terms", SHA256, code=6)
    assert offered.at(ORDERS) == []


def test_a_trial_is_said_to_be_for_those_who_have_not_had_it(offered: Scripted, run: Callable) -> None:
    trial = {"kind": "subscription", "amount_yen": 3000, "term_months": 1, "trial_days": 14}
    offered.on(f"/v1/offers/{OFFER}", Said(body=OFFERED | {"price": trial}))
    _out, said = run("buy", OFFER, code=2)
    assert "¥3,000 every month in advance, before tax, the first 14 days free" in said
    assert "have not had it" in said


@pytest.fixture
def seated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.client.shopping.is_interactive", lambda: True)


@pytest.mark.usefixtures("seated")
@pytest.mark.parametrize(("answer", "orders_placed"), [(True, 1), (False, 0)])
def test_somebody_who_sits_there_is_asked(
    offered: Scripted, run: Callable, monkeypatch: pytest.MonkeyPatch, answer: bool, orders_placed: int
) -> None:
    from click import Abort

    def confirm(_question: str, **_how: object) -> None:
        if not answer:
            raise Abort

    monkeypatch.setattr("marketplace.client.shopping.click.confirm", confirm)
    run("buy", OFFER, code=0 if answer else 1)
    assert len(offered.at(ORDERS)) == orders_placed


@pytest.mark.usefixtures("seated")
def test_the_page_to_pay_at_is_shown_and_opened_where_asked(
    offered: Scripted, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("marketplace.client.shopping.webbrowser.open", opened.append)
    offered.on(ORDERS, Said(201, order()))
    out, said = run("buy", OFFER, "--yes", "--no-wait", "--open", "--json")
    assert "https://pay.example/1" in said
    assert opened == ["https://pay.example/1"]
    assert '"id": "ord_1"' in out


@pytest.mark.usefixtures("seated")
def test_an_unsafe_page_to_pay_at_is_neither_shown_nor_opened(
    offered: Scripted, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.client.shopping.webbrowser.open", lambda _address: pytest.fail("opened"))
    offered.on(ORDERS, Said(201, order(checkout_url="file:///bin/sh")))
    _out, said = run("buy", OFFER, "--yes", "--open", code=1)
    assert "/bin/sh" not in said


@pytest.mark.usefixtures("seated")
def test_an_order_that_was_begun_is_gone_on_with_unasked(
    offered: Scripted, run: Callable, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered.on(ORDERS, Said(201, order()))
    orders.place(exchange, WISH)
    monkeypatch.setattr("marketplace.client.shopping.click.confirm", lambda *_a, **_k: pytest.fail("asked again"))
    offered.on(ORDERS, Said(201, FULFILLED))
    _out, said = run("buy", OFFER)
    assert "Going on with the order" in said
    assert len(set(keys(offered))) == 1
