"""What buyers, banks and time do: deterministic controls for tests and simulations.

Each function is called outside any transaction, in a context of the application on which the sandbox is mounted
(LookupError otherwise), opens its own transaction, and returns Stripe's object as it then is. What cannot happen is
refused with WireError. ``control_routes`` offers the same over HTTP. README.md lists them all.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.sandbox import cash, checkout, config, customers, delayed, disputes, payouts, refunds, store, timing
from marketplace.sandbox.checkout import Outcome, Result
from marketplace.sandbox.config import Knobs, SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.trouble import Trouble
from marketplace.sandbox.wire import WireError

Object = dict[str, Any]
_CHOOSE = {"card": checkout.pay, "konbini": delayed.print_voucher, "bank_transfer": delayed.instruct}


def pay(session_id: str, method: str = "card") -> Object:
    """Pay by card at once, or choose ``konbini`` or ``bank_transfer`` and pay later; returns the session."""
    if method not in _CHOOSE:
        raise WireError(f"Invalid method: must be one of {', '.join(_CHOOSE)}", param="method")
    with _story() as story:
        return _session(_CHOOSE[method](session_id, story), Outcome.PAID, Outcome.WAITING)


def decline(session_id: str) -> Object:
    """Let the bank refuse the card; returns the session, which stays open."""
    with _story() as story:
        return _session(checkout.decline(session_id, story), Outcome.DECLINED)


def challenge(session_id: str) -> Object:
    """Let the bank ask for 3-D Secure; returns the session, whose intent waits in ``requires_action``."""
    with _story() as story:
        return _session(checkout.challenge(session_id, story), Outcome.CHALLENGED)


def answer_challenge(session_id: str, passed: bool = True) -> Object:
    """Let the buyer pass 3-D Secure and be charged, or fail it; returns the session."""
    with _story() as story:
        result = checkout.answer_challenge(session_id, story, passed=passed)
        return _session(result, Outcome.PAID, Outcome.DECLINED)


def pay_at_till(session_id: str, store: str = "familymart", confirmed: bool = True) -> Object:
    """Pay the konbini voucher; unless ``confirmed``, the chain reports it later (call again). Returns the session."""
    with _story() as story:
        return delayed.pay_voucher(session_id, store, story, confirmed=confirmed)


def let_expire(session_id: str) -> Object:
    """Let the konbini voucher expire unpaid; returns the session."""
    with _story() as story:
        return delayed.expire_voucher(session_id, story)


def virtual_account(customer_id: str) -> Object:
    """Return the bank account of this customer alone: branch, type and number (``zengin``)."""
    with _story():
        found: Object = cash.account_of(store.get(customers.KIND, customer_id))["zengin"]
        return found


def fund(customer_id: str, amount_yen: int) -> Object:
    """Let money arrive on the customer's own account; returns the cash balance, which keeps what is over."""
    with _story() as story:
        return cash.fund(customer_id, amount_yen, story)


def open_dispute(
    charge_id: str, amount_yen: int | None = None, reason: str = "fraudulent", inquiry: bool = False
) -> Object:
    """Let the buyer dispute a card payment, or only inquire, which moves no money; returns the dispute."""
    with _story() as story:
        return disputes.begin(charge_id, amount_yen, reason, story, inquiry=inquiry)


def submit_evidence(dispute_id: str) -> Object:
    """Answer a dispute: it is under review from now on; returns it."""
    with _story() as story:
        return disputes.submit(dispute_id, story)


def close_dispute(dispute_id: str, outcome: str) -> Object:
    """Decide a dispute: ``won`` or ``lost``, an inquiry ``warning_closed``; returns it."""
    with _story() as story:
        return disputes.close(dispute_id, outcome, story)


def settle_refund(refund_id: str) -> Object:
    """Let a refund that waits arrive at the buyer; returns it."""
    with _story() as story:
        return refunds.settle(refund_id, story)


def fail_refund(refund_id: str, reason: str = "lost_or_stolen_card") -> Object:
    """Let a refund come back from the bank, also one that had succeeded; returns it."""
    with _story() as story:
        return refunds.fail(refund_id, reason, story)


def hold_refunds(held: bool = True) -> None:
    """Let new card refunds wait as ``pending`` until they are settled or failed."""
    _mounted().knobs.hold_refunds = held


def pay_out(amount_yen: int | None = None) -> Object:
    """Pay out what is available: everything, tied to its balance transactions, or a sum. Returns the payout."""
    with _story() as story:
        return payouts.run_automatic(story) if amount_yen is None else payouts.send(amount_yen, story)


def settle_payout(payout_id: str) -> Object:
    """Let a payout arrive at the bank now; returns it."""
    with _story() as story:
        return payouts.settle(payout_id, story)


def fail_payout(payout_id: str, code: str = "account_closed") -> Object:
    """Let a payout come back from the bank, also one that was paid; returns it."""
    with _story() as story:
        return payouts.fail(payout_id, code, story)


def pass_time(until: datetime | None = None) -> Object:
    """Let happen what is due by then, now by default: sessions and vouchers expire, payouts arrive. Counts it."""
    sandbox = _mounted()
    with transaction():
        return {"happened": timing.run_due(Recorder(sandbox, until or clock.now()))}


def webhooks(duplicate: int = 0, reorder: bool = False, delay_seconds: int = 0, drop: Iterable[str] = ()) -> None:
    """Let the network repeat, reorder, delay or lose webhooks from now on."""
    knobs = _mounted().knobs
    knobs.duplicate, knobs.reorder = duplicate, reorder
    knobs.delay_seconds, knobs.drop = delay_seconds, frozenset(drop)


def trouble(kind: str, times: int) -> None:
    """Let the next so many API calls fail in this way (``trouble.Trouble``)."""
    if kind not in {one.value for one in Trouble}:
        raise WireError(f"Invalid kind: must be one of {', '.join(one.value for one in Trouble)}", param="kind")
    _mounted().storm.ask(Trouble(kind), times)


def reset() -> None:
    """Put all knobs and troubles at rest."""
    sandbox = _mounted()
    sandbox.storm.still()
    for knob in fields(Knobs):
        setattr(sandbox.knobs, knob.name, getattr(Knobs(), knob.name))


@contextmanager
def _story() -> Iterator[Recorder]:
    sandbox = _mounted()
    with transaction():
        yield Recorder(sandbox, clock.now())


def _mounted() -> SandboxConfig:
    sandbox = config.find()
    if sandbox is None:
        raise LookupError("this application has no sandbox: controls move no real money")
    return sandbox


def _session(result: Result, *wanted: Outcome) -> Object:
    outcome, row = result
    if outcome not in wanted:
        raise WireError(f"This payment page takes no such deed any more: {outcome.value}.")
    return row.document
