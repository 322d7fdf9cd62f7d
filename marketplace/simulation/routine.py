"""What the exchange does by itself and what its finance office does by the calendar: jobs, bills, payouts."""

from datetime import date

from marketplace.billing.bank import accounts
from marketplace.billing.payouts import queries as payouts
from marketplace.billing.payouts import service as paying
from marketplace.billing.payouts.states import PayoutState
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as receiving
from marketplace.exchange import (
    afterpay,
    balance,
    banking,
    closing,
    payment,
    payout,
    refund,
    renewal,
    service_level,
    settlement,
)
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.metering import periods
from marketplace.sandbox import controls
from marketplace.sandbox.wire import WireError
from marketplace.simulation import deeds, shelves
from marketplace.simulation.world import SimulationFailed, World

PAID_AFTER_DAYS = 12
CREDIT_YEN = 20_000_000
PAYOUT_DAYS = (10, 25)
HEAD = "取引日,お預入金額,振込依頼人名,摘要,仮想口座番号,取引番号\n"


def open_accounts(world: World) -> None:
    """Take in the virtual accounts that the bank gave us."""
    with transaction():
        accounts.add(f"001{number:07d}" for number in range(1, 2 * len(world.buyers) + 2))


def give_credit(world: World) -> None:
    """Let every buyer owe enough for all that a few of them may be given to play."""
    for buyer in world.buyers:
        with transaction():
            receiving.set_credit_limit(world.operator, buyer.organization_id, CREDIT_YEN)


def at_night(world: World) -> None:
    """Do what the jobs of the night do: months, renewals, releases, what is overdue, late service levels."""
    invoices = settlement.settle(SYSTEM, periods.month_start(clock.now()))
    for invoice in invoices:
        world.tell("usage", "billed by month", invoice.amount_gross_yen)
    renewals = renewal.renew(clock.today())
    if renewals.failed:
        raise SimulationFailed(f"these subscriptions could not be renewed: {renewals.failed}")
    for name, done in (("ordered", renewals.order_ids), ("past due", renewals.past_due), ("ended", renewals.ended)):
        for _one in done:
            world.tell("subscription", f"renewal {name}" if name == "ordered" else name)
    closing.release(SYSTEM, clock.today())
    chased = afterpay.chase_overdue(SYSTEM)
    for name, numbers in (("reminded of", chased.reminded), ("suspended for", chased.suspended)):
        for _number in numbers:
            world.tell("invoice", f"overdue, {name}")
    if clock.today().weekday() == 0:
        service_level.catch_up(clock.now())


def at_work() -> None:
    """Do what the jobs of the day do: refunds, lost webhooks, pages, the gateway's balance."""
    jobs.run_pending("billing.refund.send")
    jobs.run_pending("billing.service_level.credit")
    controls.pass_time()
    payment.backfill()
    payment.work_inbox()
    payment.reconcile()
    payment.close_pages()
    refund.pursue()
    balance.reconcile()


def pay_bills(world: World) -> None:
    """Let buyers transfer what they owe for some days to their own accounts, but for what a story pays.

    They name the invoice where the amount alone would pay one that is not meant.
    """
    for buyer in world.buyers:
        for yen, number in _due(world, buyer):
            world.transfer(yen, "ﾎｸﾄ ﾄﾘﾋｷｻｷ", reference=number, account=deeds.account_of(buyer))
            how = "exact, by account and number" if number else "exact, by virtual account"
            world.tell("invoice", how, yen)


def import_statement(world: World, day: date) -> None:
    """Take in our bank's statement of a day, twice, as CP932 and with its sum below."""
    if not world.statement:
        return
    rows = [
        f'{day:%Y/%m/%d},"{yen:,}",{payer},{reference},{account},{day:%y%m%d}{number:04d}'
        for number, (yen, payer, reference, account) in enumerate(world.statement)
    ]
    total = sum(line[0] for line in world.statement)
    content = (HEAD + "\n".join(rows) + f'\n合計,"{total:,}",,,,\n').encode("cp932")
    first, again = (banking.import_statement(world.operator, content) for _turn in range(2))
    if (first.yen, again.known) != (total, len(rows)):
        raise SimulationFailed(f"the statement of {day} was taken in as {first}, then as {again}")
    world.statement.clear()


def collect(world: World) -> None:
    """Let the gateway pay out to our bank what is available; the second time, the bank sends it back at first."""
    try:
        sent = controls.pay_out()
    except WireError:
        return
    world.tell("gateway", "paid out to our bank", sent["amount"])
    world.bank_yen += sent["amount"]
    if world.told["gateway", "paid out to our bank"] == 2:
        controls.fail_payout(sent["id"])
        world.bank_yen -= sent["amount"]
        world.tell("gateway", "payout came back", sent["amount"])


def draw(world: World) -> None:
    """Draw payouts, have a second person approve what is much, and send the file to the bank."""
    with transaction():
        drawn = [(one.id, one.amount_yen, one.offset_yen) for one in payout.draw_all(world.operator)]
    for _id, amount, offset in drawn:
        world.tell("payout", "drawn", amount)
        if offset:
            world.tell("payout", "less commission of sales paid outside", offset)
    for one in _in_state(world, PayoutState.CREATED):
        with transaction():
            amount = paying.approve(world.second, one).amount_yen
        world.tell("payout", "approved by a second person", amount)
    _send_file(world)


def _send_file(world: World) -> None:
    if not _in_state(world, PayoutState.APPROVED):
        return
    with transaction():
        file_id = paying.put_in_file(world.operator, clock.today()).id
    with transaction():
        text, sent = payout.file_text(file_id), payouts.list_of_file(file_id)
        total = sum(one.amount_yen for one in sent)
    if f"\r\n8,{len(sent)},{total}," not in text or not text.encode("cp932"):
        raise SimulationFailed("the transfer file does not sum to its payouts")
    world.tell("payout", "sent in a file", total)


def note_paid(world: World) -> None:
    """Note that the bank has sent what it was told of the day before."""
    for one in _in_state(world, PayoutState.SENT):
        with transaction():
            payout.note_paid(world.operator, one, clock.today())
            amount = payouts.require_payout(one).amount_yen
        world.bank_yen -= amount
        world.tell("payout", "paid", amount)


def bounce(world: World) -> None:
    """Let the first payout come back from the bank, once."""
    if world.told["payout", "came back"]:
        return
    for one in _in_state(world, PayoutState.PAID)[:1]:
        with transaction():
            amount = payout.note_failed(world.operator, one, "口座名義相違").amount_yen
        world.bank_yen += amount
        world.tell("payout", "came back", amount)


def publish_month(world: World) -> None:
    """Let each provider publish the month before."""
    before = periods.day_before(periods.month_start(clock.now()))
    for number in range(len(world.providers)):
        shelves.publish(world, number, f"{before:%Y-%m}")


def _in_state(world: World, state: PayoutState) -> list[str]:
    with transaction():
        return sorted(one.id for one in payouts.list_payouts(world.operator, size=100, state=state).items)


def _due(world: World, buyer: Actor) -> list[tuple[int, str]]:
    with transaction():
        found = receivables.list_open(buyer.organization_id)
        kept = {receivables.rest_of(one) for one in found if one.id in world.reserved}
        return [
            (yen, one.number if yen in kept else "")
            for one in found
            if one.id not in world.reserved and (clock.today() - one.issued_on).days >= PAID_AFTER_DAYS
            for yen in (receivables.rest_of(one),)
        ]
