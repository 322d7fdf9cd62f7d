"""Stories of money that goes back: refunds, disputes, cancellations, missed service levels."""

from collections.abc import Sequence

from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.states import RefundWay
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.exchange import cancellation, refund, service_level
from marketplace.exchange.refund import Why
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.metering import periods
from marketplace.sandbox import controls
from marketplace.simulation import deeds
from marketplace.simulation.agenda import Story
from marketplace.simulation.deeds import Placed, Steps, order
from marketplace.simulation.plan import days
from marketplace.simulation.sales import SOON, Told
from marketplace.simulation.world import World


def in_full(world: World, buyer: Actor) -> Story:
    """Tell of all of a card payment goes back, and access with it."""
    made = yield from _bought(world, buyer, "once")
    yield days(4)
    _give_back(world, made, None, "full")
    yield days(1)


def in_parts(world: World, buyer: Actor) -> Story:
    """Tell of two parts of a card payment go back; access stays."""
    made = yield from _bought(world, buyer, "shared")
    yield days(3)
    _give_back(world, made, world.chance.randint(1, made.yen // 2), "partial")
    yield days(9)
    _give_back(world, made, world.chance.randint(1, made.yen // 3), "partial")


def bounces(world: World, buyer: Actor) -> Story:
    """Tell of a refund that comes back from the card's bank, and goes out of our own bank then."""
    made = yield from _bought(world, buyer, "once")
    yield days(2)
    [refund_id] = _give_back(world, made, None, "full")
    yield days(3)
    with transaction():
        sent = refunds.require_refund(refund_id).gateway_refund_id
    controls.fail_refund(sent or "")
    world.tell("refund", "came back", made.yen)
    yield days(2)
    _give_back(world, made, None, "by bank, after it came back")


def of_a_voucher(world: World, buyer: Actor) -> Story:
    """Tell of what was paid at a konbini goes back by bank."""
    made = order(world, buyer, "once", Rail.KONBINI)
    controls.pay(made.page, "konbini")
    yield days(1)
    controls.pay_at_till(made.page)
    world.tell("konbini", "paid", made.yen)
    yield days(5)
    _give_back(world, made, world.chance.randint(1, made.yen), "of a voucher, by bank")


def off_a_bill(world: World, buyer: Actor) -> Story:
    """Tell of a part of an open invoice is credited, the rest is paid."""
    made = order(world, buyer, "once", Rail.INVOICE)
    yield days(2)
    _give_back(world, made, world.chance.randint(1, made.yen - 1), "off an open invoice")


def of_a_paid_bill(world: World, buyer: Actor) -> Story:
    """Tell of what was paid by bank goes back by bank, in part."""
    made = order(world, buyer, "discounted", Rail.INVOICE)
    invoice_id = deeds.invoice_of(made)
    world.reserved.add(invoice_id)
    yield days(4)
    world.transfer(made.yen, "ﾎｸﾄ ﾄﾘﾋｷｻｷ", reference=deeds.number_of(invoice_id))
    world.tell("invoice", "exact, by number", made.yen)
    yield days(3)
    _give_back(world, made, world.chance.randint(1, made.yen), "of a paid invoice, by bank")


def of_a_slip(world: World, buyer: Actor) -> Story:
    """Tell of the city gives a fee back that it took itself; the exchange gives back its commission."""
    made = order(world, buyer, "slip", Rail.OUTSIDE)
    yield days(2)
    deeds.note_slip(world, made)
    yield days(8)
    _give_back(world, made, None, "outside")


def disputed_and_won(world: World, buyer: Actor) -> Story:
    """Tell of a dispute that the bank decides for us."""
    yield from _disputed(world, buyer, "won")


def disputed_and_lost(world: World, buyer: Actor) -> Story:
    """Tell of a dispute that the bank decides for the buyer."""
    yield from _disputed(world, buyer, "lost")


def partly_refunded_then_lost(world: World, buyer: Actor) -> Story:
    """Tell of a part goes back, then the rest is disputed and lost."""
    made = yield from _bought(world, buyer, "shared")
    yield days(2)
    _give_back(world, made, world.chance.randint(1, made.yen - 1), "partial")
    yield days(2)
    yield from _contested(world, made, "lost")


def only_asked(world: World, buyer: Actor) -> Story:
    """Tell of an inquiry, which moves no money."""
    made = yield from _bought(world, buyer, "cheap")
    yield days(3)
    dispute = controls.open_dispute(deeds.charge_of(made), inquiry=True)
    yield days(5)
    controls.close_dispute(dispute["id"], "warning_closed")
    world.tell("dispute", "inquiry closed", made.yen)


def given_up(world: World, buyer: Actor) -> Story:
    """Tell of ninety days that are given up on the way; the unused ones are paid back."""
    made = yield from _bought(world, buyer, "quarterly")
    yield days(world.chance.randint(5, 20))
    with transaction():
        given = cancellation.cancel(buyer, made.order_id)
    _told(world, given, "cancelled, by days")


def poor_service(world: World, buyer: Actor) -> Story:
    """Tell of a month in which the data could too often not be had."""
    yield from _bought(world, buyer, "quarterly")
    month = periods.month_of(clock.now())
    following = periods.month_of(clock.now() + days(32))
    yield days((following - clock.today()).days + 3)
    measured = world.chance.choice([9_900, 9_400])
    draft = MeasurementDraft(
        world.shelves["quarterly"].dataset_id, f"{month:%Y-%m}", measured, "監視記録（合成）", "1" * 64
    )
    with transaction():
        service_level.measure(world.operator, draft)
    _told(world, service_level.credit(draft.dataset_id, draft.month), "missed service level")


def _bought(world: World, buyer: Actor, shelf: str) -> Steps[Placed]:
    made = order(world, buyer, shelf, Rail.CARD)
    yield SOON
    deeds.pay_card(world, made)
    yield days(1)
    return made


def _disputed(world: World, buyer: Actor, outcome: str) -> Story:
    made = yield from _bought(world, buyer, "once")
    yield days(world.chance.randint(1, 12))
    yield from _contested(world, made, outcome)


def _contested(world: World, made: Placed, outcome: str) -> Story:
    dispute = controls.open_dispute(deeds.charge_of(made), reason="product_unacceptable")
    world.tell("dispute", "opened", dispute["amount"])
    yield days(4)
    controls.submit_evidence(dispute["id"])
    yield days(5)
    controls.close_dispute(dispute["id"], outcome)
    world.tell("dispute", outcome, dispute["amount"])


def _give_back(world: World, made: Placed, yen: int | None, what: str) -> Sequence[str]:
    invoice_id = deeds.invoice_of(made)
    with transaction():
        given = refund.request_refund(
            world.operator, invoice_id, yen, Why(f"{made.order_id}:{clock.text(clock.now())}")
        )
    _told(world, given, what)
    return given


def _told(world: World, refund_ids: Sequence[str], what: str) -> None:
    """Count refunds, and let those by bank leave our account."""
    for refund_id in refund_ids:
        with transaction():
            one = refunds.require_refund(refund_id)
            yen, way, state = one.amount_yen, one.way, one.state
            if way == RefundWay.BANK and state in {"created", "sent"}:
                refund.note_bank_refund(world.operator, refund_id, succeeded=True)
                world.bank_yen -= yen
        world.tell("refund", what, yen)


ALWAYS: tuple[tuple[Told, int], ...] = (
    (in_full, 65), (in_parts, 60), (bounces, 60), (of_a_voucher, 60), (off_a_bill, 60), (of_a_paid_bill, 60),
    (of_a_slip, 60), (disputed_and_won, 55), (disputed_and_lost, 55), (partly_refunded_then_lost, 60),
    (only_asked, 60), (given_up, 50), (poor_service, 40),
)  # fmt: skip
"""As in ``sales``."""
