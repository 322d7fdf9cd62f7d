"""Drafts of documents between a registered city and a shop."""

from datetime import date

import factory

from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Party
from marketplace.billing.documents.states import DocumentKind
from tests.factories.identity import OrganizationFactory

T_NUMBER = "T9000020011002"


def named(organization: object, number: str | None = None) -> Party:
    """The organization as a document names it."""
    return Party(organization.id, organization.name_ja, organization.name_en, number)


class LineFactory(factory.Factory):
    """105 yen before tax at 10 %."""

    class Meta:
        model = DocumentLine

    description_ja = "札幌市 人流データ 利用料"
    description_en = "Sapporo people flow, licence"
    amount_net_yen = 105
    tax_rate_basis_points = 1000
    unit = "件"
    unit_price_yen = factory.LazyAttribute(lambda new: str(new.amount_net_yen))


class DraftFactory(factory.Factory):
    """An invoice of three lines of 105 yen."""

    class Meta:
        model = DocumentDraft

    class Params:
        issuing = factory.SubFactory(OrganizationFactory)
        receiving = factory.SubFactory(OrganizationFactory)
        number = T_NUMBER

    kind = DocumentKind.INVOICE
    idem = factory.Sequence(lambda n: f"paper:{n}")
    issuer = factory.LazyAttribute(lambda new: named(new.issuing, new.number))
    recipient = factory.LazyAttribute(lambda new: named(new.receiving))
    lines = factory.LazyFunction(lambda: tuple(LineFactory.build_batch(3)))
    transaction_on = date(2026, 11, 20)
