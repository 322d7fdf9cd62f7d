"""Stories of buying: every way to pay, paid and unpaid."""

from collections.abc import Callable
from datetime import timedelta

from marketplace.billing import queries as billing
from marketplace.billing.bank import queries as bank
from marketplace.billing.bank import service as bank_lines
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish, EligibilityDraft
from marketplace.billing.receivables.errors import InvoicesOverdue
from marketplace.exchange import banking
from marketplace.identity.actors import Actor
from marketplace.kit import clock, settings
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import DiscountClass, Rail
from marketplace.sandbox import controls
from marketplace.simulation import deeds
from marketplace.simulation.agenda import Story
from marketplace.simulation.deeds import Placed, order
from marketplace.simulation.plan import days
from marketplace.simulation.world import SimulationFailed, World

Told = Callable[[World, Actor], Story]
SOON = timedelta(minutes=20)


def by_card(world: World, buyer: Actor) -> Story:
    """Tell of a card, paid at once."""
    made = order(world, buyer, world.chance.choice(["once", "shared", "cheap"]), Rail.CARD)
    yield SOON
    deeds.pay_card(world, made)


def declined_first(world: World, buyer: Actor) -> Story:
    """Tell of a card that the bank refuses, and another one that it takes."""
    made = order(world, buyer, "once", Rail.CARD)
    yield SOON
    controls.decline(made.page)
    world.tell("card", "declined", made.yen)
    yield SOON
    deeds.pay_card(world, made)


def asked_who_it_is(world: World, buyer: Actor) -> Story:
    """Tell of 3-D Secure, passed; then once more, failed, and given up."""
    made = order(world, buyer, "shared", Rail.CARD)
    controls.challenge(made.page)
    yield SOON
    controls.answer_challenge(made.page)
    world.tell("card", "paid", made.yen)
    world.tell("card", "3-D Secure passed", made.yen)
    yield days(3)
    failed = order(world, buyer, "cheap", Rail.CARD)
    controls.challenge(failed.page)
    yield SOON
    controls.answer_challenge(failed.page, passed=False)
    world.tell("card", "3-D Secure failed", failed.yen)


def left_the_page(world: World, buyer: Actor) -> Story:
    """Tell of a page that nobody pays; it expires by itself."""
    made = order(world, buyer, "cheap", Rail.CARD)
    world.tell("card", "left unpaid", made.yen)
    yield days(2)


def at_the_till(world: World, buyer: Actor) -> Story:
    """Tell of Konbini, paid the next day."""
    made = order(world, buyer, world.chance.choice(["once", "cheap", "shared"]), Rail.KONBINI)
    controls.pay(made.page, "konbini")
    yield days(1)
    controls.pay_at_till(made.page)
    world.tell("konbini", "paid", made.yen)


def voucher_expires(world: World, buyer: Actor) -> Story:
    """Tell of Konbini, never paid."""
    made = order(world, buyer, "cheap", Rail.KONBINI)
    controls.pay(made.page, "konbini")
    yield days(2)
    controls.let_expire(made.page)
    world.tell("konbini", "expired", made.yen)


def by_transfer(world: World, buyer: Actor) -> Story:
    """Tell of a bank transfer to the gateway, in full."""
    made = order(world, buyer, "once", Rail.BANK_TRANSFER)
    session = controls.pay(made.page, "bank_transfer")
    yield days(2)
    controls.fund(session["customer"], made.yen)
    world.tell("bank_transfer", "paid", made.yen)


def by_transfer_in_parts(world: World, buyer: Actor) -> Story:
    """Tell of a bank transfer to the gateway that comes in two parts."""
    made = order(world, buyer, "once", Rail.BANK_TRANSFER)
    session = controls.pay(made.page, "bank_transfer")
    part = world.chance.randint(1, made.yen - 1)
    yield days(1)
    controls.fund(session["customer"], part)
    world.tell("bank_transfer", "came in part", part)
    yield days(3)
    controls.fund(session["customer"], made.yen - part)
    world.tell("bank_transfer", "paid", made.yen)


def for_nothing(world: World, buyer: Actor) -> Story:
    """Tell of what costs nothing is granted at once."""
    made = order(world, buyer, "free")
    yield SOON
    deeds.fetch(world, buyer, deeds.grant_of(made), world.shelves["free"].dataset_id, [(0, 999)])


def by_slip(world: World, buyer: Actor) -> Story:
    """Tell of a municipal payment slip (納付書), paid at the city's counter."""
    made = order(world, buyer, "slip", Rail.OUTSIDE)
    yield days(4)
    deeds.note_slip(world, made)


def with_discounts(world: World, buyer: Actor) -> Story:
    """Tell of found to be academic, once, and a coupon on the rest."""
    provider = world.shelves["discounted"].provider
    draft = EligibilityDraft(DiscountClass.ACADEMIC, "学則写し（合成）", "0" * 64)
    until = clock.now() + days(60)
    with transaction():
        applied = discounts.apply(buyer, draft).id
    with transaction():
        discounts.grant(world.operator, applied, until, single_use=True)
    with transaction():
        _coupon, code = discounts.issue_coupon(provider, CouponDraft(until, basis_points=1_250, max_redemptions=3))
    made = order(world, buyer, "discounted", Rail.CARD, DiscountWish(applied, code))
    yield SOON
    deeds.pay_card(world, made)
    world.tell("card", "with eligibility and coupon", made.yen)
    yield days(2)
    bill = order(world, buyer, "discounted", Rail.INVOICE, DiscountWish(None, code))
    world.tell("invoice", "with coupon", bill.yen)


def privately(world: World, buyer: Actor) -> Story:
    """Tell of an offer that only one buyer sees."""
    del buyer
    made = order(world, world.buyers[0], "private", Rail.CARD)
    yield SOON
    deeds.pay_card(world, made)
    world.tell("card", "private offer", made.yen)


def on_account(world: World, buyer: Actor) -> Story:
    """Tell of an invoice, paid in time to the buyer's virtual account with all the others that are due."""
    order(world, buyer, world.chance.choice(["once", "shared", "discounted"]), Rail.INVOICE)
    yield SOON


def by_number(world: World, buyer: Actor) -> Story:
    """Tell of an invoice, paid by a plain transfer that names its number."""
    made = _billed(world, buyer, "once")
    yield days(9)
    _pay(world, made, made.yen, "exact, by number")


def short(world: World, buyer: Actor) -> Story:
    """Tell of an invoice that is paid too short, and the rest a week later."""
    made = _billed(world, buyer, "shared")
    missing = world.chance.randint(1, 1_000)
    yield days(6)
    _pay(world, made, made.yen - missing, "short")
    yield days(7)
    _pay(world, made, missing, "the rest")


def over(world: World, buyer: Actor) -> Story:
    """Tell of an invoice that is paid too much; what is over pays a part of the next one."""
    made, extra = _billed(world, buyer, "once"), world.chance.randint(100, 5_000)
    yield days(5)
    _pay(world, made, made.yen + extra, "over")
    yield days(2)
    bill = _billed(world, buyer, "once")
    invoice_id = deeds.invoice_of(bill)
    with transaction():
        banking.apply_unapplied(world.operator, invoice_id, extra)
    world.tell("invoice", "paid from what was over", extra)
    yield days(4)
    _pay(world, bill, bill.yen - extra, "the rest")


def twice(world: World, buyer: Actor) -> Story:
    """Tell of an invoice that is paid twice; the second payment goes back."""
    made = _billed(world, buyer, "discounted")
    yield days(5)
    _pay(world, made, made.yen, "exact, by number")
    yield days(1)
    _pay(world, made, made.yen, "double")
    yield days(2)
    with transaction():
        line = next(one for one in bank.list_lines(size=100).items if one.unapplied_yen == made.yen)
        bank_lines.send_back(world.operator, line.id, "二重払いの返金")
    world.bank_yen -= made.yen
    world.tell("invoice", "double sent back", made.yen)


def from_nobody_known(world: World, buyer: Actor) -> Story:
    """Tell of two transfers that nothing explains: one is found to be a buyer's, one goes back."""
    made = _billed(world, buyer, "once")
    stranger = world.chance.randint(1_000, 90_000)
    yield days(6)
    world.transfer(made.yen, "ﾅｿﾞﾉ ｶｲｼﾔ")
    world.transfer(stranger, "ﾋﾄﾁｶﾞｲ")
    world.tell("invoice", "foreign", made.yen + stranger)
    yield days(2)
    invoice_id = deeds.invoice_of(made)
    with transaction():
        waiting = {one.amount_yen: one.id for one in bank.list_lines(size=100).items if one.state == "suspense"}
        banking.assign_line(world.operator, waiting[made.yen], invoice_id=invoice_id)
    with transaction():
        bank_lines.send_back(world.operator, waiting[stranger], "誤振込の組戻し")
    world.bank_yen -= stranger
    world.tell("invoice", "foreign assigned", made.yen)
    world.tell("invoice", "foreign sent back", stranger)


def overdue(world: World, buyer: Actor) -> Story:
    """Tell of an invoice that is paid only when access rests because of it."""
    made = _billed(world, buyer, "once")
    invoice_id = deeds.invoice_of(made)
    with transaction():
        due_on = billing.require_invoice(invoice_id).due_on or clock.today()
    yield days((due_on - clock.today()).days + settings.current().overdue_grace_days + 2)
    grant_id = deeds.grant_of(made)
    deeds.require_grant(grant_id, "suspended")
    world.tell("invoice", "overdue, access rests", made.yen)
    try:
        order(world, buyer, "shared", Rail.INVOICE)
    except InvoicesOverdue:
        world.tell("invoice", "overdue, no more credit")
    else:
        raise SimulationFailed(f"{made.order_id} is overdue, and its buyer was given credit")
    _pay(world, made, made.yen, "late")
    yield days(1)
    deeds.require_grant(grant_id, "active")
    world.tell("invoice", "overdue, access lifted", made.yen)


def by_card_after_all(world: World, buyer: Actor) -> Story:
    """Tell of an invoice that is paid by card."""
    made = _billed(world, buyer, "quarterly")
    yield days(3)
    page = deeds.invoice_page(buyer, deeds.invoice_of(made))
    yield SOON
    controls.pay(page)
    world.tell("invoice", "paid by card", made.yen)


def _billed(world: World, buyer: Actor, shelf: str) -> Placed:
    made = order(world, buyer, shelf, Rail.INVOICE)
    world.reserved.add(deeds.invoice_of(made))
    return made


def _pay(world: World, made: Placed, yen: int, what: str) -> None:
    number = deeds.number_of(deeds.invoice_of(made))
    world.transfer(yen, "ﾎｸﾄ ﾄﾘﾋｷｻｷ", reference=number)
    world.tell("invoice", what, yen)


OVERDUE_LATEST = 5
PLAIN: tuple[Told, ...] = (by_card, by_card, at_the_till, by_transfer, on_account, on_account, for_nothing, by_slip)
ALWAYS: tuple[tuple[Told, int], ...] = (
    (by_card, 60), (declined_first, 60), (asked_who_it_is, 60), (left_the_page, 60), (at_the_till, 60),
    (voucher_expires, 60), (by_transfer, 60), (by_transfer_in_parts, 60), (for_nothing, 60), (by_slip, 60),
    (with_discounts, 40), (privately, 60), (on_account, 60), (by_number, 60), (short, 50), (over, 50), (twice, 50),
    (from_nobody_known, 50), (by_card_after_all, 60),
)  # fmt: skip
"""Each story with the last day of the quarter, counted from 0, on which it may begin."""
