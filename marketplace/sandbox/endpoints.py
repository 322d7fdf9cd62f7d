"""The addresses under /v1 and what each does: parameters in, one of Stripe's objects out."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import url_for

from marketplace.sandbox import (
    balance,
    cash,
    checkout,
    customers,
    delayed,
    disputes,
    intents,
    listing,
    payouts,
    refunds,
    sessions,
    store,
    transfers,
)
from marketplace.sandbox.call import Call

Deed = Callable[..., dict[str, Any]]


def create_session(call: Call) -> dict[str, Any]:
    """Answer ``POST /v1/checkout/sessions``."""
    paths = call.params.texts("expand")
    draft = sessions.read_draft(call.params, call.now)
    return store.expanded(checkout.create(draft, _pay_url(call), call.now), paths)


def get_session(call: Call, identifier: str) -> dict[str, Any]:
    """Answer ``GET /v1/checkout/sessions/{id}``."""
    paths = call.only_expand()
    return store.expanded(checkout.current(identifier, call.recorder, call.now).document, paths)


def expire_session(call: Call, identifier: str) -> dict[str, Any]:
    """Answer ``POST /v1/checkout/sessions/{id}/expire``."""
    paths = call.only_expand()
    return store.expanded(checkout.expire(identifier, call.recorder, call.now), paths)


def get_event(call: Call, identifier: str) -> dict[str, Any]:
    """Answer ``GET /v1/events/{id}``."""
    call.params.finish()
    return listing.get_event(identifier)


def get_balance(call: Call) -> dict[str, Any]:
    """Answer ``GET /v1/balance``."""
    call.params.finish()
    return balance.show(call.now)


def get_reversal(call: Call, identifier: str, reversal: str) -> dict[str, Any]:
    """Answer ``GET /v1/transfers/{id}/reversals/{reversal}``."""
    paths = call.only_expand()
    return store.expanded(transfers.reversal(identifier, reversal), paths)


def _pay_url(call: Call) -> str:
    if call.config.public_url:
        return f"{call.config.public_url}/pay"
    return url_for("sandbox.show_page", session_id="-", _external=True).removesuffix("/-")


def _get(kind: str, call: Call, identifier: str) -> dict[str, Any]:
    paths = call.only_expand()
    return store.expanded(store.get(kind, identifier).document, paths)


def _deed(deed: Deed, call: Call, *address: str) -> dict[str, Any]:
    # "expand" is read first, so that what reads the form may finish it.
    paths = call.params.texts("expand")
    return store.expanded(deed(*address, call.params, call.recorder), paths)


def _listed(deed: Deed, call: Call, *address: str) -> dict[str, Any]:
    return deed(*address, call.params)


def _plain(deed: Deed, call: Call, identifier: str) -> dict[str, Any]:
    paths = call.only_expand()
    return store.expanded(deed(identifier, call.recorder), paths)


def _positional(deed: Deed) -> Deed:
    def act(call: Call, **address: str) -> dict[str, Any]:
        return deed(call, *address.values())

    return act


ROUTES: tuple[tuple[str, str, Deed], ...] = (
    ("POST", "customers", partial(_deed, customers.create)),
    ("GET", "customers", partial(_listed, customers.listed)),
    ("GET", "customers/<identifier>", partial(_get, "customer")),
    ("POST", "customers/<identifier>", _positional(partial(_deed, customers.update))),
    ("POST", "customers/<identifier>/funding_instructions", _positional(partial(_deed, cash.funding_instructions))),
    ("GET", "customers/<identifier>/cash_balance", partial(_plain, cash.show)),
    ("GET", "customers/<identifier>/cash_balance_transactions", _positional(partial(_listed, cash.listed))),
    ("POST", "checkout/sessions", create_session),
    ("GET", "checkout/sessions", partial(_listed, listing.list_sessions)),
    ("GET", "checkout/sessions/<identifier>", get_session),
    ("POST", "checkout/sessions/<identifier>/expire", expire_session),
    ("GET", "payment_intents", partial(_listed, intents.listed)),
    ("GET", "payment_intents/<identifier>", partial(_get, "payment_intent")),
    ("POST", "payment_intents/<identifier>/cancel", _positional(partial(_deed, delayed.cancel))),
    ("GET", "charges", partial(_listed, intents.charges)),
    ("GET", "charges/<identifier>", partial(_get, "charge")),
    ("POST", "refunds", partial(_deed, refunds.create)),
    ("GET", "refunds", partial(_listed, refunds.listed)),
    ("GET", "refunds/<identifier>", partial(_get, "refund")),
    ("POST", "refunds/<identifier>/cancel", partial(_plain, refunds.cancel)),
    ("GET", "disputes", partial(_listed, disputes.listed)),
    ("GET", "disputes/<identifier>", partial(_get, "dispute")),
    ("POST", "transfers", partial(_deed, transfers.create)),
    ("GET", "transfers", partial(_listed, transfers.listed)),
    ("GET", "transfers/<identifier>", partial(_get, "transfer")),
    ("POST", "transfers/<identifier>/reversals", _positional(partial(_deed, transfers.reverse))),
    ("GET", "transfers/<identifier>/reversals", _positional(partial(_listed, transfers.reversals))),
    ("GET", "transfers/<identifier>/reversals/<reversal>", get_reversal),
    ("POST", "payouts", partial(_deed, payouts.create)),
    ("GET", "payouts", partial(_listed, payouts.listed)),
    ("GET", "payouts/<identifier>", partial(_get, "payout")),
    ("GET", "balance", get_balance),
    ("GET", "balance_transactions", partial(_listed, balance.transactions)),
    ("GET", "balance_transactions/<identifier>", partial(_get, "balance_transaction")),
    ("GET", "events", lambda call: listing.list_events(call.params, call.now)),
    ("GET", "events/<identifier>", get_event),
)
