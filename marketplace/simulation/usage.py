"""Stories of what goes on for months: usage that is metered, subscriptions that are renewed or are not."""

from datetime import date, datetime, timedelta

from marketplace.billing import queries as billing
from marketplace.billing.subscriptions import queries as subscribed
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.billing.subscriptions.rules import FISCAL_MONTH
from marketplace.exchange import settlement
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.metering import periods
from marketplace.sandbox.wire import WireError
from marketplace.simulation import deeds
from marketplace.simulation.agenda import Story
from marketplace.simulation.deeds import Placed, order
from marketplace.simulation.plan import at, days
from marketplace.simulation.sales import SOON, Told
from marketplace.simulation.shelves import ROW_BYTES, ROWS
from marketplace.simulation.world import SimulationFailed, World

FETCHES = 7
RENEWED_AHEAD = 5


def bytes_used(world: World, buyer: Actor) -> Story:
    """Tell of a price per MiB after three days of trial, billed each month."""
    yield from _used(world, buyer, "bytes")


def rows_used(world: World, buyer: Actor) -> Story:
    """Tell of a graduated price by row, with rows included and a minimum."""
    yield from _used(world, buyer, "rows")


def calls_made(world: World, buyer: Actor) -> Story:
    """Tell of a volume price by request, with a maximum, shared between two."""
    yield from _used(world, buyer, "calls")


def packages_begun(world: World, buyer: Actor) -> Story:
    """Tell of a price by package of requests."""
    yield from _used(world, buyer, "packs")


def told_of_late(world: World, buyer: Actor) -> Story:
    """Tell of usage of a month's last minute that is told of when the month is billed: it comes on the next invoice."""
    grant_id = deeds.grant_of(order(world, buyer, "packs", Rail.INVOICE))
    _fetch(world, buyer, grant_id, "packs")
    following = periods.month_of(clock.now() + days(31))
    yield at(following, 9) - clock.now()
    last_minute: datetime = at(following) - timedelta(minutes=1)
    with clock.stopped(last_minute):
        _fetch(world, buyer, grant_id, "packs")
    world.tell("usage", "told of late")
    yield days(3)
    _fetch(world, buyer, grant_id, "packs")


def billed_at_once(world: World, buyer: Actor) -> Story:
    """Tell of usage that the operator bills within its month."""
    made = order(world, buyer, "bytes", Rail.INVOICE) if world.chance.randrange(2) else order(world, buyer, "bytes")
    yield days(5)
    _fetch(world, buyer, deeds.grant_of(made), "bytes")
    yield SOON
    issued = settlement.settle(SYSTEM, clock.now())
    world.tell("usage", "billed within the month", sum(one.amount_gross_yen for one in issued))


def monthly_by_card(world: World, buyer: Actor) -> Story:
    """Tell of a month at a time by card, renewed until the quarter is over."""
    made = yield from _subscribed(world, buyer, "monthly")
    yield from _renewed(world, made, 12)


def monthly_on_account(world: World, buyer: Actor) -> Story:
    """Tell of a month at a time on account; nobody has to do anything."""
    order(world, buyer, "renewed", Rail.INVOICE)
    world.tell("subscription", "begun on account")
    yield SOON


def ended_at_its_term(world: World, buyer: Actor) -> Story:
    """Tell of a month that is renewed once, and then cancelled at its end."""
    made = yield from _subscribed(world, buyer, "monthly")
    yield from _renewed(world, made, 1)
    with transaction():
        subscriptions.cancel(buyer, _subscription_of(made))
    world.tell("subscription", "cancelled at its term")
    yield days(1)


def lapsed(world: World, buyer: Actor) -> Story:
    """Tell of a month whose renewal nobody pays: past due, then over."""
    made = yield from _subscribed(world, buyer, "monthly")
    yield days(31 + 20)
    with transaction():
        state = subscribed.require_subscription(_subscription_of(made)).state
    world.tell("subscription", f"not renewed, {state}")


def by_fiscal_year(world: World, buyer: Actor) -> Story:
    """Tell of a fiscal year's rest by days, renewed for the whole of the next in April."""
    made = order(world, buyer, "fiscal", Rail.INVOICE)
    world.tell("subscription", "fiscal year begun", made.yen)
    april = date(clock.today().year, FISCAL_MONTH, 1)
    if clock.today() >= april:
        return
    yield at(april, 9) - clock.now()
    with transaction():
        found = subscribed.require_subscription(_subscription_of(made))
        renewed = billing.require_order(subscribed.list_terms(found.id)[1].order_id).amount_gross_yen
    if found.term_from != april or found.term_to != april.replace(year=april.year + 1) - days(1):
        raise SimulationFailed(f"the fiscal year of {found.id} runs from {found.term_from} to {found.term_to}")
    world.tell("subscription", "fiscal year renewed", renewed)


def _used(world: World, buyer: Actor, shelf: str) -> Story:
    made = order(world, buyer, shelf)
    grant_id = deeds.grant_of(made)
    for _turn in range(FETCHES):
        yield days(world.chance.randint(2, 15))
        _fetch(world, buyer, grant_id, shelf)


def _fetch(world: World, buyer: Actor, grant_id: str, shelf: str) -> None:
    first = world.chance.randrange(ROWS * ROW_BYTES - 1)
    last = min(first + world.chance.randint(1_000, 60_000), ROWS * ROW_BYTES - 1)
    deeds.fetch(world, buyer, grant_id, world.shelves[shelf].dataset_id, [(first, last), (first // 2, first)])


def _subscribed(world: World, buyer: Actor, shelf: str) -> deeds.Steps[Placed]:
    made = order(world, buyer, shelf, Rail.CARD)
    yield SOON
    deeds.pay_card(world, made)
    world.tell("subscription", "begun by card", made.yen)
    yield days(1)
    return made


def _renewed(world: World, made: Placed, times: int) -> Story:
    """Pay the page of each renewal some days before its term begins; ``times`` at most."""
    for _turn in range(times):
        with transaction():
            ends = subscribed.require_subscription(_subscription_of(made)).term_to
        yield at(ends - days(RENEWED_AHEAD), 10) - clock.now()
        if clock.today() > world.plan.last:
            return
        yield from _pay_renewal(world, made)
        yield days(2)


def _pay_renewal(world: World, made: Placed) -> Story:
    # A card's page is open for a day; where it has just closed, the night orders the term again.
    for _day in range(RENEWED_AHEAD):
        renewal = deeds.placed(made.buyer, _unpaid_order(made))
        try:
            deeds.pay_card(world, renewal)
        except WireError:
            world.tell("subscription", "page of a renewal was closed")
            yield days(1)
            continue
        world.tell("subscription", "renewed by card", renewal.yen)
        return
    raise SimulationFailed(f"the renewal of {made.order_id} could not be paid")


def _unpaid_order(made: Placed) -> str:
    with transaction():
        terms = subscribed.list_terms(_subscription_of(made))
        unpaid = [term.order_id for term in terms if term.paid_at is None]
    if not unpaid:
        raise SimulationFailed(f"the subscription of {made.order_id} was not renewed in time")
    return unpaid[0]


def _subscription_of(made: Placed) -> str:
    """Return the subscription that an order began, within the open transaction."""
    return str(billing.require_order(made.order_id).subscription_id)


ALWAYS: tuple[tuple[Told, int], ...] = (
    (bytes_used, 10), (rows_used, 10), (calls_made, 10), (packages_begun, 10), (told_of_late, 20),
    (billed_at_once, 60), (monthly_by_card, 12), (monthly_on_account, 12), (ended_at_its_term, 12), (lapsed, 30),
    (by_fiscal_year, 40),
)  # fmt: skip
"""As in ``sales``."""
