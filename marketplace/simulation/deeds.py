"""What parties do, each as one step: ordering, paying on the gateway's page, fetching, paying by bank."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from marketplace.access import queries as grants
from marketplace.billing import queries as billing
from marketplace.billing.discounts.rules import DiscountWish
from marketplace.billing.orders import Slip
from marketplace.exchange import banking, download, outside, payment, purchase
from marketplace.exchange.download import Wanted
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.sandbox import controls
from marketplace.simulation.world import SimulationFailed, World

T = TypeVar("T")
Steps = Generator[timedelta, None, T]
"""A part of a story, and what comes of it."""
NOTHING_OFF = DiscountWish()


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its buyer sees it; ``page`` is its session at the gateway."""

    buyer: Actor
    order_id: str
    yen: int
    page: str


def order(
    world: World, buyer: Actor, shelf: str, rail: Rail | None = None, discounts: DiscountWish = NOTHING_OFF
) -> Placed:
    """Accept the terms and order; where it is paid at the gateway, open the page there."""
    offer = world.shelves[shelf]
    with transaction():
        order_id = purchase.place_order(buyer, offer.offer_id, offer.terms_sha256, OrderWish(rail, discounts))
    made = placed(buyer, order_id)
    world.tell(str(rail.value) if rail else "free", "ordered", made.yen)
    return made


def placed(buyer: Actor, order_id: str) -> Placed:
    """Return an order with its page, which is opened where it was not."""
    with transaction():
        made = purchase.read(buyer, order_id)
        yen, payment_id = made.order.amount_gross_yen, made.payment.id if made.payment else None
    if payment_id is None:
        return Placed(buyer, order_id, yen, "")
    payment.begin(payment_id)
    with transaction():
        return Placed(buyer, order_id, yen, billing.get_payment(payment_id).session_id or "")


def pay_card(world: World, made: Placed) -> None:
    """Pay by card at once."""
    controls.pay(made.page)
    world.tell("card", "paid", made.yen)


def invoice_of(made: Placed) -> str:
    """Return the id of the order's invoice; raises SimulationFailed where there is none."""
    with transaction():
        found = billing.find_invoice_of_order(made.order_id)
        if found is None:
            raise SimulationFailed(f"{made.order_id} was not fulfilled: it has no invoice")
        return found.id


def number_of(invoice_id: str) -> str:
    """Return the number of an invoice."""
    with transaction():
        return billing.require_invoice(invoice_id).number


def grant_of(made: Placed) -> str:
    """Return the grant of an order; raises SimulationFailed where there is none."""
    with transaction():
        grant_id = purchase.read(made.buyer, made.order_id).grant_id
    if grant_id is None:
        raise SimulationFailed(f"{made.order_id} was not fulfilled: it has no grant")
    return grant_id


def charge_of(made: Placed) -> str:
    """Return the gateway's name of the charge that paid an order."""
    with transaction():
        found = [one.charge_id for one in billing.list_payments(order_id=made.order_id) if one.charge_id]
    if not found:
        raise SimulationFailed(f"no charge is known of {made.order_id}")
    return found[0]


def account_of(buyer: Actor) -> str:
    """Return the buyer's virtual account."""
    with transaction():
        return banking.own_account(buyer).number


def fetch(world: World, buyer: Actor, grant_id: str, dataset_id: str, parts: Iterable[tuple[int, int]]) -> None:
    """Fetch byte ranges (first, last) of the dataset's newest file under a grant."""
    name, _size = world.files[dataset_id][-1]
    for first, last in parts:
        with transaction():
            answer = download.open_delivery(
                buyer, Wanted(grant_id, name, None, "GET", {"Range": f"bytes={first}-{last}"})
            )
        if answer.delivery_id is None or answer.file is None:
            raise SimulationFailed(f"{grant_id} delivered nothing: {answer.status}")
        answer.file.close()
        download.close_delivery(answer.delivery_id, answer.length, answer.length, "complete")
        world.tell("usage", "fetched", 0)


def invoice_page(buyer: Actor, invoice_id: str) -> str:
    """Open a page at the gateway for what is left of an invoice."""
    with transaction():
        payment_id = payment.pay_invoice(buyer, invoice_id)
    payment.begin(payment_id)
    with transaction():
        return billing.get_payment(payment_id).session_id or ""


def note_slip(world: World, made: Placed) -> None:
    """Let the city note that its payment slip was paid at its counter today."""
    slip = Slip(f"ほ{made.order_id[-12:]}", clock.today(), "ほくと市データ提供手数料条例（合成）")
    with transaction():
        outside.note_payment(world.shelves["slip"].provider, made.order_id, slip)
    world.tell("outside", "paid", made.yen)


def require_grant(grant_id: str, state: str) -> None:
    """Raise SimulationFailed unless a grant is in this state."""
    with transaction():
        found = grants.require_grant(grant_id).state
    if found != state:
        raise SimulationFailed(f"the grant {grant_id} should be {state}, and is {found}")
