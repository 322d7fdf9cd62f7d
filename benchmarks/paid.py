"""How many paid purchases a second, against PostgreSQL's own TPC-B on the same server, with 1 and 8 clients.

A paid purchase is two transactions: ordering (terms accepted, price and tax computed, a payment opened), and, when its
money is known to be there, fulfilling (the payment's facts and state, a grant with its releases and quota, ledger
postings with the provider's earning, a numbered invoice and a receipt, each of which is filed for good, and the
entries on the record). The whole story also asks the gateway, here the sandbox in this process: a customer, a payment
page, the buyer's button, its events, and the payment fetched again before it is believed.
"""

import argparse
from collections.abc import Callable
from functools import partial

from sqlalchemy import event

from benchmarks import machine, purchase, world
from benchmarks.purchase import per_second
from benchmarks.world import Shop, World
from marketplace.billing import payments, queries
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind
from marketplace.exchange import payment
from marketplace.exchange import purchase as story
from marketplace.exchange.outcome import apply
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

ROUNDS, SECONDS = 5, 3.0
ROUNDS_QUICK, SECONDS_QUICK = 2, 1.5
SEE_OTHER = 303
AT_ONCE = 10
"""How many are paid between two askings of the gateway for its events; each has five."""


def main(arguments: list[str]) -> None:
    """Print paid purchases a second, their ratio to TPC-B, their processor time and their statements."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks paid")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if parser.parse_args(arguments).quick else (ROUNDS, SECONDS)
    with world.installed() as exchange:
        shop = exchange.priced(exchange.shop([machine.file_of(10 * 1024)]).dataset_id)
        for clients in (1, 8):
            deeds = _deeds(exchange, shop, seconds, clients)
            for deed in deeds.values():
                deed()
            costs = machine.Costs(exchange.database_process)
            print(f"\n{clients} clients")
            machine.print_ratios(machine.shuffled_rounds(costs.noted(deeds), rounds), "purchases/s")
            costs.print()
        _print_statements(exchange, shop)


def _deeds(exchange: World, shop: Shop, seconds: float, clients: int) -> dict[str, Callable[[], float]]:
    def often(deed: Callable[[World, Shop], int]) -> float:
        def client(over: Callable[[], bool]) -> int:
            done = 0
            while not over():
                with exchange.app.app_context():
                    done += deed(exchange, shop)
            return done

        return per_second(client, seconds, clients)

    deeds: dict[str, Callable[[], float]] = {
        "pgbench TPC-B (the limit)": partial(purchase.tpcb, exchange, seconds, clients),
        "ordered, paid and fulfilled": partial(often, _buy),
    }
    if clients == 1:  # the sandbox is there to try things out, not to be asked by many
        deeds["the same by way of the sandbox's wire"] = partial(often, _buy_some_at_the_sandbox)
    return deeds


def _buy(exchange: World, shop: Shop) -> int:
    _fulfil(_order(exchange, shop)[1])
    return 1


def _order(exchange: World, shop: Shop) -> tuple[str, str]:
    with transaction():
        order_id = story.place_order(exchange.buyer, shop.offer_id, shop.terms_sha256)
        return order_id, queries.list_payments(order_id=order_id)[0].id


def _fulfil(payment_id: str) -> None:
    with transaction():
        amount = queries.get_payment(payment_id).amount_minor
        intent = f"pi_{payment_id}"
        facts = [Fact(FactKind.INTENT_SUCCEEDED, intent, amount, "JPY", clock.now())]
        apply(payments.record_facts(payment_id, facts, payment_intent_id=intent, charge_id=f"ch_{payment_id}"))


def _buy_some_at_the_sandbox(exchange: World, shop: Shop) -> int:
    bought = [_pay_at_the_sandbox(exchange, shop) for _turn in range(AT_ONCE)]
    payment.backfill()
    payment.work_inbox()
    with transaction():
        if any(story.read(exchange.buyer, order_id).invoice_id is None for order_id in bought):
            raise RuntimeError("what was paid was not delivered")
    return AT_ONCE


def _pay_at_the_sandbox(exchange: World, shop: Shop) -> str:
    order_id, payment_id = _order(exchange, shop)
    payment.begin(payment_id)
    with transaction():
        page = queries.get_payment(payment_id).session_id
    if exchange.app.test_client().post(f"/sandbox/pay/{page}/pay").status_code != SEE_OTHER:
        raise RuntimeError("the sandbox took no money")
    return order_id


def _print_statements(exchange: World, shop: Shop) -> None:
    sent: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    with exchange.app.app_context():
        payment_id = _order(exchange, shop)[1]
    ordered = len(sent)
    with exchange.app.app_context():
        _fulfil(payment_id)
    # Each looks at the payment once for this benchmark.
    print(f"\n{ordered - 1} statements order, {len(sent) - ordered - 1} fulfil once the money is there")
