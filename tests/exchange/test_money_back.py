"""Random refunds, failures and disputes: never more goes back than was paid, and nothing stays in transit."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.billing import queries
from marketplace.billing.disputes.queries import lost_yen
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.errors import RefundDisputed, RefundTooLarge
from marketplace.exchange import balance, dispute, refund
from marketplace.kit.db import db
from marketplace.sandbox import controls
from marketplace.sandbox.wire import WireError
from tests.factories import money

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("refund"), st.integers(1, 6_000)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("dispute"), st.integers(1, 6_000)),
        st.tuples(st.sampled_from(["won", "lost"]), st.just(0)),
        st.tuples(st.just("tell"), st.integers(0, 3)),
    ),
    min_size=2,
    max_size=8,
)


class Trade:
    """One sale of 5,500 yen, and what happens to its money."""

    def __init__(self, app: Flask) -> None:
        self.made = money.sold(app)
        self.charge = money.charge_of(self.made)
        self.disputes: list[str] = []

    def refund(self, yen: int) -> None:
        try:
            money.refunded(self.made, yen)
        except (RefundTooLarge, RefundDisputed):
            return

    def fail(self, number: int) -> None:
        sent = [one.gateway_refund_id for one in refunds.list_of_invoice(self.made.invoice_id) if one.gateway_refund_id]
        if number < len(sent):
            self._try(controls.fail_refund, sent[number])

    def dispute(self, yen: int) -> None:
        opened = self._try(controls.open_dispute, self.charge, yen)
        if opened:
            self.disputes.append(opened["id"])

    def close(self, outcome: str) -> None:
        if self.disputes:
            self._try(controls.close_dispute, self.disputes[-1], outcome)

    def tell(self, times: int = 1) -> None:
        for _ in range(times):
            for one in refunds.list_of_invoice(self.made.invoice_id):
                if one.gateway_refund_id:
                    refund.learn(one.gateway_refund_id, "evt_1")
            for name in self.disputes:
                dispute.learn(name, "evt_1")

    def _try(self, deed: Any, *arguments: Any) -> Any:
        try:
            return deed(*arguments)
        except WireError:
            return None


@pytest.mark.parametrize("round_", range(3))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deeds=DEEDS)
def test_whatever_happens_no_more_goes_back_than_was_paid(app: Flask, round_: int, deeds: list[Any]) -> None:
    trade = Trade(app)
    for name, argument in deeds:
        trade.close(name) if name in {"won", "lost"} else getattr(trade, name)(argument)
        invoice = queries.require_invoice(trade.made.invoice_id)
        assert 0 <= refunds.given_back_yen(invoice.id) + lost_yen(invoice.id) <= invoice.amount_gross_yen
    trade.close("won")
    trade.tell(2)
    # What went by bank is the operator's to say.
    for one in refunds.list_of_invoice(trade.made.invoice_id):
        if one.way == "bank" and one.state == "created":
            with money.transaction():
                refund.note_bank_refund(money.operator(), one.id, succeeded=True)
    balance.reconcile()
    db.session.expire_all()
    assert money.in_transit() == {}
    assert sum(money.balances().values()) == 0
    left = refunds.left_yen(queries.require_invoice(trade.made.invoice_id))
    assert (money.grant_state(trade.made) == "revoked") == (left == 0)
    money.assert_sound()
