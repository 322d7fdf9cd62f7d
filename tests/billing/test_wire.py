"""Reading Stripe's events: which payment they are about and what they show."""

import pytest

from marketplace.billing.gateways import wire
from marketplace.billing.states import FactKind

SESSION = {
    "id": "cs_1",
    "object": "checkout.session",
    "status": "complete",
    "payment_status": "paid",
    "amount_total": 5500,
    "currency": "jpy",
    "payment_intent": "pi_1",
    "metadata": {"payment_id": "pay_1"},
    "client_reference_id": "pay_other",
}
INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 5500,
    "amount_received": 5500,
    "currency": "jpy",
    "latest_charge": "ch_1",
    "metadata": {"payment_id": "pay_1"},
}
CHARGE = {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": {}, "currency": "jpy"}


def event(kind: str, thing: dict) -> dict:
    return {"id": "evt_1", "type": kind, "created": 1_795_000_000, "data": {"object": thing}}


@pytest.mark.parametrize(
    ("kind", "thing", "shown"),
    [
        ("checkout.session.completed", SESSION, (FactKind.SESSION_COMPLETED_PAID, "cs_1", 5500)),
        (
            "checkout.session.completed",
            SESSION | {"payment_status": "unpaid"},
            (FactKind.SESSION_COMPLETED_UNPAID, "cs_1", 5500),
        ),
        ("checkout.session.async_payment_succeeded", SESSION, (FactKind.SESSION_COMPLETED_PAID, "cs_1", 5500)),
        (
            "checkout.session.async_payment_failed",
            SESSION | {"payment_status": "unpaid"},
            (FactKind.SESSION_ASYNC_FAILED, "cs_1", 5500),
        ),
        (
            "checkout.session.expired",
            SESSION | {"status": "expired", "payment_status": "unpaid"},
            (FactKind.SESSION_EXPIRED, "cs_1", 5500),
        ),
        ("payment_intent.succeeded", INTENT, (FactKind.INTENT_SUCCEEDED, "pi_1", 5500)),
        ("payment_intent.payment_failed", INTENT, (FactKind.INTENT_FAILED, "pi_1", 5500)),
        (
            "checkout.session.completed",
            SESSION | {"amount_total": 55.0},
            (FactKind.SESSION_COMPLETED_PAID, "cs_1", None),
        ),
    ],
)
def test_an_event_shows_a_fact(kind, thing, shown):
    reading = wire.read_event(event(kind, thing))
    [fact] = reading.facts
    assert (fact.kind, fact.object_id, fact.amount_minor) == shown
    assert (fact.currency, fact.event_id, fact.occurred_at.timestamp()) == ("JPY", "evt_1", 1_795_000_000)
    assert reading.payment_id == "pay_1"


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("checkout.session.completed", SESSION | {"status": "open"}),
        ("charge.succeeded", CHARGE),
        ("charge.updated", CHARGE),
        ("payment_intent.created", INTENT),
        ("payment_intent.succeeded", {"object": "payment_intent"}),
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("strange", {}),
    ],
)
def test_other_events_show_nothing_by_themselves(kind, thing):
    assert wire.read_event(event(kind, thing)).facts == ()


@pytest.mark.parametrize(
    ("thing", "names"),
    [
        (SESSION, ("pay_1", "cs_1", "pi_1", None)),
        (SESSION | {"metadata": None}, ("pay_other", "cs_1", "pi_1", None)),
        (SESSION | {"metadata": {}, "client_reference_id": 5, "payment_intent": None}, (None, "cs_1", None, None)),
        (INTENT, ("pay_1", None, "pi_1", "ch_1")),
        (CHARGE, (None, None, "pi_1", "ch_1")),
        (CHARGE | {"payment_intent": {"id": "pi_2"}}, (None, None, "pi_2", "ch_1")),
        ({}, (None, None, None, None)),
    ],
)
def test_an_event_names_its_payment(thing, names):
    reading = wire.read_event(event("any", thing))
    assert (reading.payment_id, reading.session_id, reading.payment_intent_id, reading.charge_id) == names


HUNDREDTHS = {"currency": "ugx", "amount_total": 50_000, "amount": 50_000, "amount_received": 50_000}
"""500 shillings, which Stripe counts in hundredths though ISO 4217 gives them none."""
AWAITED = {"next_action": {"display_bank_transfer_instructions": {"amount_remaining": 20_000}}}


@pytest.mark.parametrize(
    ("kind", "thing", "minor"),
    [
        ("checkout.session.completed", SESSION, 500),
        ("checkout.session.async_payment_failed", SESSION, 500),
        ("payment_intent.succeeded", INTENT, 500),
        ("payment_intent.payment_failed", INTENT, 500),
        ("payment_intent.partially_funded", INTENT | AWAITED, 300),
    ],
)
def test_a_fact_is_in_minor_units_however_the_gateway_counts(kind, thing, minor):
    [fact] = wire.read_event(event(kind, thing | HUNDREDTHS)).facts
    assert (fact.amount_minor, fact.currency) == (minor, "UGX")


@pytest.mark.parametrize("wrong", [{"amount_total": 50_001}, {"currency": None}, {"currency": "usdc"}])
def test_money_that_is_no_amount_never_equals_what_was_asked_for(wrong):
    report = wire.read_session(SESSION | HUNDREDTHS | wrong)
    [fact] = wire.read_event(event("checkout.session.completed", SESSION | HUNDREDTHS | wrong)).facts
    assert (report.amount_minor, fact.amount_minor) == (None, None)


def test_a_page_is_read_in_minor_units():
    intent = INTENT | HUNDREDTHS | AWAITED
    report = wire.read_session(SESSION | HUNDREDTHS | {"payment_intent": intent})
    assert (report.amount_minor, report.remaining_minor, report.currency) == (500, 200, "UGX")
