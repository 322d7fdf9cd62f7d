"""The deeds that the machine of money does at random; what cannot be done is refused, or nothing happens."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from marketplace.billing.bank import service as bank_lines
from marketplace.billing.orders import Slip
from marketplace.billing.payouts import service as payouts
from marketplace.billing.payouts.models import Payout
from marketplace.billing.payouts.states import PayoutState
from marketplace.exchange import (
    afterpay,
    balance,
    banking,
    cancellation,
    closing,
    facilities,
    outside,
    payment,
    payout,
    purchase,
    refund,
    renewal,
    settlement,
    unapplied,
)
from marketplace.exchange.ordering import OrderWish
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.sandbox import controls
from tests.factories import market
from tests.properties.money_world import CONTENT, Bought, World, charges, move_clock, pages, refusal_of, rows, standing

HEAD = "日付,入金額,振込依頼人名,摘要,仮想口座番号\n"


def first_that(candidates: Sequence[Any], n: int, deed: Callable[[Any], object]) -> Any:
    """Do the deed with the first candidate from the n-th on, going round, that it is not refused for."""
    for step in range(len(candidates)):
        one = candidates[(n + step) % len(candidates)]
        if refusal_of(partial(deed, one)) is None:
            return one
    return None


def order(world: World, who: int, shelf: int, rail: int) -> None:
    """Order something on one of the rails of its offer, and open the page where there is one."""
    chosen = world.shelves[shelf % len(world.shelves)]
    by = chosen.rails[rail % len(chosen.rails)]
    buyer = world.buyers[who % len(world.buyers)]
    with transaction():
        order_id = purchase.place_order(buyer, chosen.id, chosen.terms_sha256, OrderWish(by))
    world.bought.append(Bought(order_id, who % len(world.buyers), shelf % len(world.shelves), by))
    with transaction():
        tried = purchase.read(buyer, order_id).payment
        payment_id = tried.id if tried else None
    if payment_id:
        payment.begin(payment_id)


def visit(world: World, n: int, how: str) -> None:
    """Do something on a page of the gateway."""
    done: dict[str, Callable[[str], object]] = {
        "pay": controls.pay,
        "decline": controls.decline,
        "challenge": controls.challenge,
        "pass": controls.answer_challenge,
        "fail": lambda page: controls.answer_challenge(page, passed=False),
        "konbini": lambda page: controls.pay(page, "konbini"),
        "till": controls.pay_at_till,
        "lapse": controls.let_expire,
        "bank": lambda page: controls.pay(page, "bank_transfer"),
    }
    if how == "leave":
        controls.pass_time(world.now + timedelta(days=2))
    else:
        first_that([page.id for page in pages()], n, done[how])


def transfer_to_the_gateway(world: World, n: int, amount: int, how: str) -> None:
    """Let money arrive on a customer's account at the gateway."""
    open_ones = rows(
        "SELECT document ->> 'customer' AS customer,"
        " (document #>> '{next_action,display_bank_transfer_instructions,amount_remaining}')::int AS yen"
        " FROM sandbox_object WHERE kind = 'payment_intent' AND status = 'requires_action'"
        " AND document #>> '{next_action,type}' = 'display_bank_transfer_instructions' ORDER BY sequence"
    )
    one = world.pick(open_ones, n)
    if one is not None:
        yen = {"whole": one.yen, "part": max(one.yen // 2, 1), "over": one.yen + amount, "known": amount}[how]
        controls.fund(one.customer, yen)


def transfer_to_the_bank(world: World, n: int, amount: int, how: str) -> None:
    """Take in a line of our bank's statement, for an invoice or for nobody."""
    invoice = world.pick(rows("SELECT * FROM invoice ORDER BY id DESC LIMIT 8"), n)
    if how == "stranger" or invoice is None:
        world.model.strangers += amount
        _line(world, amount, "")
        return
    rest = invoice.amount_gross_yen - invoice.paid_yen - invoice.credited_yen
    whole = rest or invoice.amount_gross_yen
    yen = {"short": max(whole // 3, 1), "over": whole + amount}.get(how, whole)
    for _ in range(2 if how == "double" else 1):
        world.model.bank_in[invoice.recipient_organization_id] += yen
        _line(world, yen, invoice.number)


def _line(world: World, yen: int, reference: str) -> None:
    world.serial += 1
    row = f'{world.now:%Y-%m-%d},"{yen:,}",ﾌﾘｺﾐ{world.serial},{reference},\n'
    statement = (HEAD + row).encode("cp932")
    # The same statement twice is one line.
    for _ in range(2):
        banking.import_statement(SYSTEM, statement)


def look_after_the_bank(world: World, n: int, to: int, how: str) -> None:
    """Say whose a stranger's money is, send back what pays nothing, or pay with what is unapplied."""
    if how == "apply":
        invoice = world.pick(rows("SELECT id, amount_gross_yen FROM invoice WHERE state = 'open' ORDER BY id"), n)
        if invoice is not None:
            with transaction():
                banking.apply_unapplied(SYSTEM, invoice.id, max(invoice.amount_gross_yen // (1 + to % 3), 1))
        return
    lines = rows("SELECT * FROM bank_line ORDER BY id DESC LIMIT 9")
    if how == "back":
        first_that(lines, n, lambda line: _send_back(world, line))
        return
    # A provider pays what it owes to the same account.
    buyer = [*world.buyers, world.providers[1]][to % 4].organization_id

    def assign(line: Any) -> None:
        with transaction():
            banking.assign_line(SYSTEM, line.id, organization_id=buyer)

    line = first_that(lines, n, assign)
    if line is not None:
        world.model.strangers -= line.amount_yen
        world.model.bank_in[buyer] += line.amount_yen


def _send_back(world: World, line: Any) -> None:
    with transaction():
        returned = bank_lines.send_back(SYSTEM, line.id, "誤振込").returned_yen
    if line.organization_id is None:
        world.model.strangers -= returned
    else:
        world.model.bank_back[line.organization_id] += returned


def pay_outside(world: World, n: int) -> None:
    """Note a payment slip for an order that is paid outside; twice changes nothing."""
    made = world.pick([one for one in world.bought if one.rail == Rail.OUTSIDE], n)
    if made is None:
        return
    slip = Slip(f"納-{made.order_id}", clock.today(), "手数料条例")
    for _ in range(2):
        with transaction():
            outside.note_payment(world.providers[1], made.order_id, slip)
    world.sale_of(made).slip = True


def pay_an_invoice_by_card(world: World, n: int) -> None:
    """Open a page for what is left of an invoice."""
    invoice = world.pick(rows("SELECT * FROM invoice WHERE state = 'open' ORDER BY id"), n)
    if invoice is None:
        return
    buyer = next(one for one in world.buyers if one.organization_id == invoice.recipient_organization_id)
    with transaction():
        payment_id = payment.pay_invoice(buyer, invoice.id)
    payment.begin(payment_id)


def give_back(world: World, n: int, part: int, held: bool, send: bool) -> None:
    """Give back all that is left of an invoice, or a part of it; perhaps the gateway keeps it waiting."""
    controls.hold_refunds(held)
    ids: list[str] = []

    def ask(invoice: Any) -> None:
        yen = None if part == 1 else max(invoice.amount_gross_yen // part, 1)
        why = Why(new_id("req"))
        # The same request twice is one.
        for _ in range(2):
            with transaction():
                ids[:] = refund.give_back(SYSTEM, invoice.id, yen, why)

    first_that(rows("SELECT id, amount_gross_yen FROM invoice ORDER BY id DESC LIMIT 12"), n, ask)
    for refund_id in ids if send else []:
        refund.send(refund_id)
        refund.send(refund_id)


def follow_refunds(world: World, n: int, how: str) -> None:
    """Let a refund arrive, come back, leave our bank, or be made at the gateway without us."""
    if how in {"settle", "fail"}:
        first_that(standing("refund"), n, controls.settle_refund if how == "settle" else controls.fail_refund)
        return
    if how in {"at the gateway", "own"}:
        (_refund_there if how == "at the gateway" else _send_own_back)(world, n)
        return

    def settle(one: Any) -> None:
        with transaction():
            refund.note_bank_refund(SYSTEM, one.id, succeeded=how == "by bank", failure="口座なし")

    first_that(rows("SELECT id FROM refund WHERE way = 'bank' ORDER BY id DESC LIMIT 9"), n, settle)


def _send_own_back(world: World, n: int) -> None:
    """Send back money of a payment that paid nothing; the same request twice is one."""
    ids: list[str] = []

    def send(one: Any) -> None:
        request = new_id("req")
        for _ in range(2):
            with transaction():
                ids[:] = [unapplied.give_back(SYSTEM, one.id, None, request)]

    first_that(rows("SELECT id FROM payment WHERE state = 'paid' ORDER BY id DESC"), n, send)
    for refund_id in ids:
        refund.send(refund_id)


def _refund_there(world: World, n: int) -> None:
    """Refund a third of a charge on the gateway's own pages."""
    paid = rows(
        "SELECT payment_intent_id AS intent, amount_minor FROM payment WHERE state = 'paid' ORDER BY id DESC LIMIT 9"
    )

    def send(one: Any) -> None:
        label = new_id("dashboard")
        part = max(one.amount_minor // 3, 1)
        facilities.current().gateway.create_refund(
            refund_id=label, payment_intent_id=one.intent, amount_minor=part, idempotency_key=label
        )

    first_that(paid, n, send)


def dispute(world: World, n: int, part: int, how: str) -> None:
    """Let a buyer dispute a charge or part of it, or the bank decide."""
    if how in {"open", "inquire"}:
        first_that(
            charges(),
            n,
            lambda one: controls.open_dispute(one.id, max(one.yen // part, 1), inquiry=how == "inquire"),
        )
        return
    first_that(standing("dispute"), n, lambda name: controls.close_dispute(name, how))


def cancel(world: World, n: int) -> None:
    """Give up what is left of a paid time."""
    made = world.pick([one for one in world.bought if one.shelf == 4], n)
    if made is None:
        return
    with transaction():
        ids = cancellation.cancel(world.buyers[made.who], made.order_id)
    world.sale_of(made).cancelled = True
    for refund_id in ids:
        refund.send(refund_id)


def fetch(world: World, n: int, first: int, length: int, acked: int) -> None:
    """Fetch a range of a file under a grant, and lose the connection somewhere."""
    grant = world.pick(rows("SELECT id, organization_id FROM access_grant ORDER BY id DESC"), n)
    if grant is None:
        return
    buyer = next(one for one in world.buyers if one.organization_id == grant.organization_id)
    grant_id = grant.id
    last = min(first + length, len(CONTENT)) - 1
    market.fetched(buyer, grant_id, acked=acked, Range=f"bytes={first}-{last}")
    world.covered.setdefault(grant_id, set()).update(range(first, min(last + 1, first + acked)))


def close_books(world: World, back: int) -> None:
    """Do all that the calendar asks, up to now or some days ago; again changes nothing."""
    until = world.now - timedelta(days=back)
    closing.close(SYSTEM, until)
    before = rows("SELECT count(*) AS n FROM ledger_txn")[0].n
    again = closing.close(SYSTEM, until)
    assert again.invoices == (), "the same period was billed twice"
    assert rows("SELECT count(*) AS n FROM ledger_txn")[0].n == before, "closing twice moved money twice"


def pay_out(world: World, n: int, how: str) -> None:
    """Draw, approve, send and settle payouts to providers, or call them off."""
    first, second = world.operators
    if how == "draw":
        with transaction():
            payout.draw_all(first)
        return
    if how == "claim":
        with transaction():
            payout.claim(first, world.providers[1].organization_id)
        return
    if how == "file":
        with transaction():
            file_id = payouts.put_in_file(first, clock.today()).id
        with transaction():
            assert payout.file_text(file_id) == payout.file_text(file_id)
        return
    way = "claim" if how == "claim paid" else "bank"
    deeds: dict[str, Callable[[str], Payout]] = {
        "approve": lambda name: payouts.approve(second, name),
        "paid": lambda name: payout.note_paid(first, name, clock.today()),
        "claim paid": lambda name: payout.note_paid(first, name, clock.today()),
        "failed": lambda name: payout.note_failed(first, name, "口座なし"),
        "cancel": lambda name: payouts.cancel(first, name),
    }

    def move(one: Any) -> None:
        with transaction():
            after = deeds[how](one.id).state
        was, now = one.state == PayoutState.PAID, after == PayoutState.PAID
        if way == "bank":
            world.model.payouts_by_bank += one.amount_yen * (int(now) - int(was))

    first_that(rows("SELECT * FROM payout WHERE way = :way ORDER BY id DESC LIMIT 5", way=way), n, move)


def gateway_pays_us_out(world: World, n: int, how: str) -> None:
    """Let the gateway pay what is available to our bank, or its bank send that back."""
    if how == "send":
        controls.pay_out()
        return
    first_that(standing("payout"), n, controls.fail_payout if how == "fail" else controls.settle_payout)


def hear(world: World, share: float, workers: int) -> None:
    """Deliver a part of what the gateway has said, and work on it."""
    world.post(share)
    world.work(workers)


def work(world: World, job: str) -> None:
    """Run a job, at whatever time."""
    today = clock.today()
    jobs: dict[str, Any] = {
        "renew": lambda: renewal.renew(today),
        "afterpay": lambda: afterpay.chase_overdue(SYSTEM, today),
        "pages": payment.close_pages,
        "reconcile": payment.reconcile,
        "balance": balance.reconcile,
        "refunds": refund.pursue,
        "backfill": payment.backfill,
        "settle twice": lambda: [settlement.settle(SYSTEM), settlement.settle(SYSTEM)],
    }
    jobs[job]()


def jump(world: World, by: timedelta) -> None:
    """Let the clock jump."""
    move_clock(world, by)


def end_of_month(world: World) -> None:
    """Move the clock to a minute before midnight of a month's last day in Japan."""
    here = world.now.astimezone(clock.JST)
    months = here.year * 12 + here.month
    first = datetime(months // 12, months % 12 + 1, 1, tzinfo=clock.JST)
    move_clock(world, first - timedelta(minutes=1) - here)
