"""An exchange of before earnings were kept: what it had sold is told as earnings after the upgrade."""

from datetime import date

from flask import Flask
from sqlalchemy import text

from marketplace.billing import ledger, postings, sales
from marketplace.billing.shares import Sale, alone, owed
from marketplace.billing.states import SellerRole
from marketplace.exchange import bookkeeping
from marketplace.identity.actors import SYSTEM
from marketplace.kit import migrations
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import OrderFactory

DAY = date(2026, 11, 22)


def test_earlier_sales_become_earnings_that_can_be_drawn_and_taken_back(own_database: Flask) -> None:
    with transaction():
        order = OrderFactory(paid=True)
        db.session.flush()
        order_id, provider, dataset = order.id, order.provider_organization_id, order.dataset_id
        sale = Sale(alone(provider), order.amount_net_yen, order.amount_tax_yen, 500, 50)
        entries = postings.sold(owed(sale), postings.CLEARING, SellerRole.AGENT)
        ledger.post("sale", order_id, f"sale:{order_id}", DAY, entries)
    db.session.remove()
    migrations.downgrade(db.engine, "0014")
    migrations.upgrade(db.engine)
    with transaction():
        row = db.session.execute(text("SELECT * FROM earning")).one()
        assert (row.ref, row.organization_id, row.dataset_id, row.via) == (order_id, provider, dataset, "gateway")
        assert (row.net_yen, row.tax_yen, row.payable_yen) == (sale.net, sale.tax, sale.payable)
        assert sales.release_due(SYSTEM, DAY.replace(year=2027)) == 1
        amount = sale.gross
        sales.reverse(
            SYSTEM, ref=order_id, amount_yen=amount, credit_to=postings.REFUNDS_IN_TRANSIT, kind="refund",
            idem="refund:ref_1", on=DAY,
        )  # fmt: skip
    assert bookkeeping.check() == []
