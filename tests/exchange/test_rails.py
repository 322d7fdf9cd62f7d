"""Rails: every way to pay takes an order through its own states, and books and papers it rightly."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.access.models import Grant
from marketplace.billing import ledger_queries, queries
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.errors import CouponNotUsable
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.orders import Slip
from marketplace.billing.receivables import service as receivables
from marketplace.billing.receivables.errors import CreditExhausted, InvoicesOverdue
from marketplace.exchange import listing, outside, purchase
from marketplace.exchange.errors import AmountNotCarried, OrderNotOutside, RailNotOffered, SlipDiffers
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.errors import Invalid, NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.errors import OfferNotOpen
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import Share
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from tests.factories import market
from tests.factories.receivables import paid_in

SLIP = Slip("札幌-2026-000123", date(2026, 11, 20), "札幌市手数料条例 別表第3")


def on_rails(*rails: Rail, amount_yen: int = 5000, provider: Actor | None = None, **said: object) -> Offer:
    return market.offered(market.listed(provider), amount_yen=amount_yen, said={"rails": rails, **said})


def place(who: Actor, offer: Offer, rail: Rail | None = None, **asked: str) -> purchase.Purchase:
    with transaction():
        wish = OrderWish(rail, DiscountWish(**asked))
        return purchase.read(who, purchase.place_order(who, offer.id, offer.terms_sha256, wish))


def refused(reason: type[Refusal], who: Actor, offer: Offer, rail: Rail | None = None, **asked: str) -> Refusal:
    before = len(queries.list_orders(who).items)
    with pytest.raises(reason) as refusal:
        place(who, offer, rail, **asked)
    assert len(queries.list_orders(who).items) == before
    return refusal.value


def balances() -> dict[str, int]:
    return {row.code: row.balance_minor for row in ledger_queries.trial_balance().accounts if row.balance_minor}


def test_without_a_wish_the_first_rail_is_taken(app: Flask) -> None:
    made = place(market.buyer(), on_rails(Rail.KONBINI, Rail.CARD))
    assert (made.order.rail, made.order.state, made.payment.state) == ("konbini", "placed", "created")


@pytest.mark.parametrize("rail", [Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER])
def test_at_the_gateway_an_order_waits_for_its_money(app: Flask, rail: Rail) -> None:
    made = place(market.buyer(), on_rails(*Rail), rail)
    assert (made.order.rail, made.order.state, made.order.paid_at) == (rail, "placed", None)
    assert made.payment.amount_minor == 5500
    assert (made.grant_id, made.invoice_id, balances()) == (None, None, {})


def test_a_rail_that_the_provider_did_not_choose_is_refused(app: Flask) -> None:
    refusal = refused(RailNotOffered, market.buyer(), on_rails(Rail.CARD, Rail.INVOICE), Rail.OUTSIDE)
    assert refusal.members == {"rails": ["card", "invoice"]}


def test_an_amount_goes_by_a_rail_that_carries_it(app: Flask) -> None:
    offer = on_rails(Rail.CARD, Rail.INVOICE, amount_yen=1)
    refused(AmountNotCarried, market.buyer(), offer, Rail.CARD)
    made = place(market.buyer(), offer)
    assert (made.order.rail, made.order.state, made.order.amount_gross_yen) == ("invoice", "fulfilled", 1)


def test_on_credit_the_data_come_first_and_the_invoice_says_until_when(app: Flask) -> None:
    offer = on_rails(Rail.INVOICE)
    buyer = market.buyer()
    with clock.stopped(datetime(2027, 1, 31, 3, tzinfo=UTC)):
        made = place(buyer, offer)
    invoice = queries.get_invoice(buyer, made.invoice_id)
    assert (made.order.state, made.order.paid_at, made.payment) == ("fulfilled", None, None)
    assert grants.get_grant(buyer, made.grant_id).state == "active"
    assert (invoice.state, invoice.due_on, invoice.amount_gross_yen) == ("open", date(2027, 2, 28), 5500)
    pending = f"Liabilities:Provider:{offer.organization_id}:Pending"
    assert balances() == {
        f"Assets:Receivable:{buyer.organization_id}": 5500,
        pending: -4950,
        "Income:MarketplaceFee": -500,
        "Liabilities:ConsumptionTax:Output": -50,
    }
    assert list(queries.list_payments(order_id=made.order.id)) == []


def test_credit_is_refused_beyond_the_limit_and_while_overdue_and_other_rails_stay(app: Flask) -> None:
    offer, buyer = on_rails(Rail.INVOICE, Rail.CARD), market.buyer()
    with transaction():
        receivables.set_credit_limit(SYSTEM, buyer.organization_id, 5_499)
    refused(CreditExhausted, buyer, offer, Rail.INVOICE)
    with transaction():
        receivables.set_credit_limit(SYSTEM, buyer.organization_id, 11_000)
    place(buyer, offer, Rail.INVOICE)
    with clock.stopped(clock.now() + timedelta(days=90)):
        refused(InvoicesOverdue, buyer, offer, Rail.INVOICE)
        refused(InvoicesOverdue, buyer, market.offered(market.listed(), PriceKind.PER_UNIT, 30))
        assert place(buyer, offer, Rail.CARD).order.state == "placed"


def test_an_order_is_settled_when_its_invoice_is_paid(app: Flask) -> None:
    buyer = market.buyer()
    made = place(buyer, on_rails(Rail.INVOICE))
    with transaction():
        paid_in(SYSTEM, made.invoice_id, 5_000, "src_1")
    assert made.order.paid_at is None
    with transaction():
        paid_in(SYSTEM, made.invoice_id, 500, "src_2")
    assert (purchase.read(buyer, made.order.id).order.state, made.order.paid_at is not None) == ("fulfilled", True)


def test_paid_outside_an_order_waits_for_its_slip_and_books_the_commission_alone(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    made = place(buyer, on_rails(Rail.OUTSIDE, provider=city))
    assert (made.order.state, made.payment, made.grant_id, balances()) == ("placed", None, None, {})
    with transaction():
        assert outside.note_payment(city, made.order.id, SLIP)
        assert not outside.note_payment(city, made.order.id, SLIP)
    made = purchase.read(buyer, made.order.id)
    assert (made.order.state, made.order.slip_number, made.order.slip_paid_on) == (
        "fulfilled",
        SLIP.number,
        SLIP.paid_on,
    )
    assert queries.get_invoice(buyer, made.invoice_id).state == "paid"
    assert balances() == {
        f"Assets:Receivable:{city.organization_id}": 550,
        "Income:MarketplaceFee": -500,
        "Liabilities:ConsumptionTax:Output": -50,
    }


def test_a_slip_pays_one_order_and_only_one_paid_outside(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    first, second = (place(buyer, on_rails(Rail.OUTSIDE, provider=city)) for _ in range(2))
    with transaction():
        outside.note_payment(city, first.order.id, SLIP)
    other = Slip("札幌-2026-000124", SLIP.paid_on, SLIP.ordinance)
    for order, slip in ((first, other), (second, SLIP)):
        with pytest.raises(SlipDiffers), transaction():
            outside.note_payment(city, order.order.id, slip)
    assert purchase.read(buyer, second.order.id).order.state == "placed"
    by_card = place(buyer, on_rails(Rail.CARD, provider=city))
    with pytest.raises(OrderNotOutside), transaction():
        outside.note_payment(city, by_card.order.id, other)
    with pytest.raises(Invalid), transaction():
        outside.note_payment(city, second.order.id, Slip("X", clock.today() + timedelta(days=1), "条例"))


def test_only_the_provider_and_the_operator_note_a_slip(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    made = place(buyer, on_rails(Rail.OUTSIDE, provider=city))
    for stranger in (buyer, market.seller(), market.party(auditor=True)):
        with pytest.raises(OrderNotFound), transaction():
            outside.note_payment(stranger, made.order.id, SLIP)
    operator = market.party(operator=True)
    with transaction():
        assert outside.note_payment(operator, made.order.id, SLIP)


def coupon(provider: Actor, **off: object) -> str:
    with transaction():
        draft = CouponDraft(valid_until=clock.now() + timedelta(days=30), **off)
        return discounts.issue_coupon(provider, draft)[1]


def test_a_discount_comes_off_before_tax_and_stands_on_the_order_and_the_invoice(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    offer = on_rails(Rail.INVOICE, amount_yen=999, provider=city)
    made = place(buyer, offer, coupon_code=coupon(city, basis_points=3_333))
    order = made.order
    # 33.33 % of 999 is 332.9…, floored; 10 % tax on the 667 that remain, floored.
    assert (order.list_net_yen, order.amount_net_yen, order.amount_tax_yen) == (999, 667, 66)
    assert [(one["kind"], one["amount_yen"]) for one in order.deductions] == [("coupon", 332)]
    invoice = queries.get_invoice(buyer, made.invoice_id)
    assert [line["amount_net_yen"] for line in invoice.lines] == [999, -332]
    assert (invoice.amount_net_yen, invoice.amount_tax_yen) == (667, 66)


def test_what_costs_nothing_after_its_discount_is_fulfilled_at_once(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    made = place(buyer, on_rails(Rail.CARD, provider=city), coupon_code=coupon(city, amount_yen=9_999))
    assert (made.order.state, made.order.rail, made.order.amount_gross_yen) == ("fulfilled", None, 0)
    assert (made.payment, made.invoice_id, balances()) == (None, None, {})
    assert made.grant_id


def test_a_lapsed_order_gives_its_discount_back(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    offer, code = on_rails(Rail.CARD, provider=city), coupon(city, basis_points=1_000)
    made = place(buyer, offer, coupon_code=code)
    refused(CouponNotUsable, buyer, offer, coupon_code=code)
    with transaction():
        purchase.orders.mark_expired(SYSTEM, made.order.id)
    assert place(buyer, offer, coupon_code=code).order.amount_net_yen == 4_500


def test_a_private_offer_is_bought_by_its_buyer_alone_and_in_time(app: Flask) -> None:
    buyer, stranger = market.buyer(), market.buyer()
    offer = on_rails(
        Rail.INVOICE,
        buyer_organization_id=buyer.organization_id,
        valid_until=clock.now() + timedelta(days=1),
    )
    refused(NotFound, stranger, offer)
    with clock.stopped(clock.now() + timedelta(days=2)):
        refused(OfferNotOpen, buyer, offer)
    assert place(buyer, offer).grant_id


def test_what_was_paid_is_delivered_though_the_offer_was_withdrawn_meanwhile(app: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    offer = on_rails(Rail.OUTSIDE, provider=city)
    made = place(buyer, offer)
    with transaction():
        listing.withdraw_offer(city, offer.id)
    with transaction():
        outside.note_payment(city, made.order.id, SLIP)
    assert purchase.read(buyer, made.order.id).grant_id


def test_more_than_the_books_hold_is_refused_politely(app: Flask) -> None:
    offer = on_rails(Rail.INVOICE, amount_yen=999_999_999_999)
    buyer = market.buyer()
    with transaction():
        receivables.set_credit_limit(SYSTEM, buyer.organization_id, 999_999_999_999)
    refused(AmountNotCarried, buyer, offer)


def test_the_revenue_is_shared_as_the_offer_says(app: Flask) -> None:
    city, partner, buyer = market.seller(), market.seller(), market.buyer()
    shares = (Share(city.organization_id, 3_333), Share(partner.organization_id, 6_667))
    place(buyer, on_rails(Rail.INVOICE, provider=city, amount_yen=1_000, shares=shares))
    owed = {code: yen for code, yen in balances().items() if code.endswith(":Pending")}
    assert sum(owed.values()) == -990
    assert owed[f"Liabilities:Provider:{city.organization_id}:Pending"] == -330


@pytest.mark.parametrize("months", [1, 12])
def test_a_subscription_begins_with_its_first_order_and_ends_with_what_is_paid(app: Flask, months: int) -> None:
    buyer = market.buyer()
    price = Price(PriceKind.SUBSCRIPTION, 3_000, term_months=months)
    offer = market.offered(market.listed(), price=price, said={"rails": (Rail.INVOICE,)})
    with clock.stopped(datetime(2027, 1, 31, 3, tzinfo=UTC)):
        made = place(buyer, offer)
        ends = grants.get_grant(buyer, made.grant_id).expires_at.astimezone(clock.JST)
    assert (made.order.term_number, made.order.term_from) == (1, date(2027, 1, 31))
    assert made.order.term_to == (date(2027, 2, 27) if months == 1 else date(2028, 1, 30))
    assert (ends - timedelta(seconds=1)).date() == made.order.term_to


def test_eight_notes_of_one_slip_at_once_fulfil_one_order_once(own_database: Flask) -> None:
    city, buyer = market.seller(), market.buyer()
    orders = [place(buyer, on_rails(Rail.OUTSIDE, provider=city)).order.id for _ in range(2)]

    def note(number: int) -> str:
        with own_database.app_context():
            try:
                with transaction():
                    return str(outside.note_payment(city, orders[number % 2], SLIP))
            except SlipDiffers:
                return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(note, range(8))) == ["False"] * 3 + ["True"] + ["refused"] * 4
    with transaction():
        assert len(grants.list_grants(buyer).items) == 1


def test_an_order_that_is_fulfilled_while_it_is_read_is_never_shown_placed_beside_its_grant(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, buyer = market.seller(), market.buyer()
    order_id = place(buyer, on_rails(Rail.OUTSIDE, provider=city)).order.id
    find = grants.find_grant_of_order

    def note() -> None:
        with own_database.app_context(), transaction():
            outside.note_payment(city, order_id, SLIP)

    def fulfilled_meanwhile(order_id: str) -> Grant | None:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(note).result()
        return find(order_id)

    with transaction():
        assert purchase.read(buyer, order_id).order.state == "placed"
    monkeypatch.setattr(purchase.grants, "find_grant_of_order", fulfilled_meanwhile)
    with transaction():
        read = purchase.read(buyer, order_id)
        assert (read.order.state, bool(read.grant_id)) == ("fulfilled", True)


def test_two_orders_on_credit_at_once_stay_below_the_limit(own_database: Flask) -> None:
    offer, buyer = on_rails(Rail.INVOICE), market.buyer()
    with transaction():
        receivables.set_credit_limit(SYSTEM, buyer.organization_id, 5_500 * 3)
    asked = (offer.id, offer.terms_sha256)  # read here: an object of one session is no thing for eight threads

    def buy(_number: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    purchase.place_order(buyer, *asked)
            except CreditExhausted:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(buy, range(8))) == 3
    with transaction():
        assert ledger_queries.balance_of(f"Assets:Receivable:{buyer.organization_id}") == 16_500
        assert len(queries.list_orders(buyer).items) == 3
