"""The checker of answers finds every field that is missing, renamed, of a wrong type or unknown."""

import json
from typing import Any

import pytest

from tests.contract import answers
from tests.contract.recorder import Exchange
from tests.sandbox.conftest import World
from tests.sandbox.test_payouts import ACCOUNT, ripen
from tests.sandbox.test_rails import BANK, customer

BASE = "http://127.0.0.1:8000/sandbox/v1"
KINDS = {
    "balance",
    "balance_transaction",
    "cash_balance",
    "charge",
    "checkout.session",
    "customer",
    "customer_cash_balance_transaction",
    "dispute",
    "event",
    "payment_intent",
    "payout",
    "refund",
    "transfer",
    "transfer_reversal",
}


def one_of_each(world: World) -> dict[str, Any]:
    """Everything that the sandbox can answer, one object of each kind, as it goes over the wire."""
    buyer = customer(world)
    by_bank = world.session(customer=buyer, payment_method_options=BANK)
    world.do("pay", by_bank.id, "bank_transfer")
    world.do("fund", buyer, 13_000)
    charge = world.paid().payment_intent.latest_charge.id
    refund = world.stripe.v1.refunds.create({"charge": charge, "amount": 10})
    ripen(world)
    transfer = world.stripe.v1.transfers.create({"amount": 5, "currency": "jpy", "destination": ACCOUNT})
    reversal = world.stripe.v1.transfers.reversals.create(transfer.id)
    found = {
        "refunds": refund.id,
        "transfers": transfer.id,
        f"transfers/{transfer.id}/reversals": reversal.id,
        "payouts": world.do("pay_out")["id"],
        "disputes": world.do("open_dispute", charge)["id"],
        "charges": charge,
        "customers": buyer,
    }
    addresses = [f"{place}/{identifier}" for place, identifier in found.items()]
    lists = ("checkout/sessions", "payment_intents", "balance_transactions", "events")
    addresses += [f"{place}/{first(world, place)['id']}" for place in lists]
    addresses += ["balance", f"customers/{buyer}/cash_balance"]
    documents = [world.send("GET", f"/v1/{address}").json() for address in addresses]
    documents.append(first(world, f"customers/{buyer}/cash_balance_transactions"))
    return {document["object"]: document for document in documents}


def noticed(document: dict[str, Any]) -> bool:
    """Whether something is found to be wrong; the quicker checker is asked first."""
    return bool(answers.fields_errors(document) or answers.errors_of(document))


def first(world: World, place: str) -> Any:
    return world.send("GET", f"/v1/{place}").json()["data"][0]


def test_every_kind_is_right_and_no_mutation_of_any_passes(world: World) -> None:
    kept = one_of_each(world)
    assert set(kept) == KINDS
    unnoticed = []
    for kind, document in kept.items():
        assert answers.errors_of(document) == [], kind
        for name in set(document) - {"object"}:
            without = {key: value for key, value in document.items() if key != name}
            if name in answers.always(kind) and not noticed(without):
                unnoticed.append(f"{kind}: removed {name}")
            if not noticed(without | {f"{name}_renamed": document[name]}):
                unnoticed.append(f"{kind}: renamed {name}")
            if name not in answers.NEWER.get(kind, set()) and not noticed(document | {name: [["x"]]}):
                unnoticed.append(f"{kind}: {name} of a wrong type")
    assert unnoticed == []


def exchange(method: str, path: str, document: Any, status: int = 200) -> list[str]:
    return Exchange(method, f"{BASE}/{path}", None, status, json.dumps(document)).answer_errors()


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("refunds/re_1", {"amount": "100"}),
        ("refunds/re_1", {"colour": "red"}),
        ("refunds/re_1", {"reason": "bored"}),
        ("refunds/re_1", {"created": None}),
        ("refunds/re_1", {"object": "charge"}),
        ("refunds/re_1", {"pending_reason": "weather"}),
        ("refunds/re_1", {"metadata": {"n": 1}}),
        ("disputes/du_1", {}),
        ("no/such/address", {}),
    ],
)
def test_wrong_answers_are_refused(world: World, path: str, change: dict[str, Any]) -> None:
    charge = world.paid().payment_intent.latest_charge.id
    refund = world.stripe.v1.refunds.create({"charge": charge}).to_dict()
    assert exchange("get", "refunds/re_1", refund) == []
    assert exchange("get", path, refund | change)


def test_wrong_lists_and_errors_are_refused(world: World) -> None:
    listed = world.send("GET", "/v1/events").json()
    assert exchange("get", "events", listed) == []
    assert exchange("get", "events", listed | {"has_more": "no"})
    assert exchange("get", "events", {key: value for key, value in listed.items() if key != "url"})
    refusal = world.send("GET", "/v1/refunds/re_none").json()
    assert exchange("get", "refunds/re_none", refusal, 404) == []
    assert exchange("get", "refunds/re_none", {"error": {"message": "no type"}}, 404)
    assert exchange("get", "refunds/re_none", {"error": refusal["error"] | {"type": "bored"}}, 404)


def test_objects_inside_others_are_checked_as_well(world: World) -> None:
    path = "payment_intent.latest_charge.balance_transaction"
    identifier = world.paid().id
    session = world.send("GET", f"/v1/checkout/sessions/{identifier}?expand[]={path}").json()
    assert answers.errors_of(session) == []
    del session["payment_intent"]["latest_charge"]["balance_transaction"]["fee_details"]
    assert any("balance_transaction: missing fee_details" in error for error in answers.errors_of(session))


def test_the_fields_that_may_be_absent_are_named_by_the_sdk() -> None:
    for kind, names in (answers.SOMETIMES | answers.NEWER).items():
        assert names <= answers.sdk_fields(kind), kind
