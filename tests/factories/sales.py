"""Sales between a provider with two datasets, a partner who shares, and a buyer."""

from datetime import date

from sqlalchemy import select

from marketplace.billing import ledger_queries, postings, sales
from marketplace.billing.earning_models import Earning
from marketplace.billing.shares import Sale, alone
from marketplace.billing.states import Via
from marketplace.identity.actors import SYSTEM
from marketplace.kit.db import db
from tests.factories.billing import TradedDatasetFactory
from tests.factories.identity import OrganizationFactory

DAY = date(2026, 11, 22)
REF = "ord_1"


class Trade:
    """A provider with two datasets, a partner who shares, and a buyer."""

    def __init__(self) -> None:
        dataset = TradedDatasetFactory()
        self.provider = dataset.organization_id
        self.datasets = (dataset.id, TradedDatasetFactory(provider=None, organization_id=self.provider).id)
        self.partner = OrganizationFactory().id
        self.buyer = OrganizationFactory().id
        db.session.flush()

    def sale(self, net=5000, tax=500, commission=500, commission_tax=50, shares=None) -> Sale:
        return Sale(shares or alone(self.provider), net, tax, commission, commission_tax)

    def book(self, sale=None, *, ref=REF, via=Via.GATEWAY, nets=None, on=DAY, **more) -> int | None:
        sale = sale or self.sale()
        facts = {"kind": "sale", "ref": ref, "idem": f"sale:{ref}", "via": via, "on": on} | more
        nets = nets or {self.datasets[0]: sale.net}
        return sales.book_sale(SYSTEM, sale, buyer_organization_id=self.buyer, nets_by_dataset=nets, **facts)

    def pending(self, provider=None) -> int:
        return -ledger_queries.balance_of(postings.provider_pending(provider or self.provider))

    def available(self, provider=None) -> int:
        return -ledger_queries.balance_of(postings.provider_available(provider or self.provider))


def give_back(amount, *, idem="refund:ref_1", ref=REF, on=DAY, credit_to=postings.REFUNDS_IN_TRANSIT):
    return sales.reverse(SYSTEM, ref=ref, amount_yen=amount, credit_to=credit_to, kind="refund", idem=idem, on=on)


def restore(idem="refund_failed:ref_1", of="refund:ref_1"):
    return sales.restore(SYSTEM, reversal_idem=of, kind="refund_failed", idem=idem, on=DAY)


def earnings(**chosen) -> list[Earning]:
    return list(db.session.scalars(select(Earning).filter_by(**chosen).order_by(Earning.id)))
