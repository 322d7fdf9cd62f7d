"""A finished trade between strangers, and callers of every kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask

from marketplace.api import streams
from marketplace.app import create_app
from marketplace.billing import queries
from marketplace.billing.bank import queries as bank
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.rules import CouponDraft, EligibilityDraft
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.documents import papers
from marketplace.billing.service_levels import service as service_levels
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.sources import service as sources
from marketplace.catalog.sources.rules import SourceDraft
from marketplace.catalog.sources.states import Schedule
from marketplace.catalog.uploads import service as uploads
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.catalog.upstreams import service as upstreams
from marketplace.catalog.upstreams.rules import UpstreamDraft
from marketplace.demand import watching
from marketplace.demand.watching import WatchDraft
from marketplace.exchange import banking, demanding, dispute, holding, incident, reputing, spending
from marketplace.exchange.purchase import Purchase
from marketplace.identity import delegations
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.models import Organization
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity
from marketplace.incidents import queries as incidents
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import DiscountClass, PriceKind
from marketplace.metering import queries as metering
from marketplace.reputation.rules import RatingDraft
from marketplace.sandbox import controls
from marketplace.webhooks import service as webhooks
from marketplace.webhooks.rules import EndpointDraft
from marketplace.webhooks.states import EventType
from tests.api.routes import PLACEHOLDER
from tests.factories import archives, disclosure, harvests, market, money, oversight, payouts, privacy
from tests.factories.demand import stated, teaser
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, actor_of
from tests.factories.understanding import understood
from tests.identity.joining import steps


@dataclass(frozen=True, slots=True)
class Trade:
    """The ids of a trade by the names that addresses give them; no caller of these tests is a party to it."""

    ids: dict[str, str]

    def path(self, rule: str) -> str:
        """The address of a rule, filled in."""
        return PLACEHOLDER.sub(lambda found: self.ids[found[1]], rule)


@pytest.fixture(scope="module")
def exchange(clone: Callable[[], str], make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """An application on a database of its own, for tests of which none may change anything."""
    app = create_app(make_settings(clone()))
    with app.app_context():
        yield app
        app.extensions[streams.EXTENSION].stop()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def trade(exchange: Flask, tmp_path_factory: pytest.TempPathFactory) -> Trade:
    """One paid and fetched trade, with something at every address of the API."""
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on)
    made = market.bought(exchange, buyer, offer)
    market.fetched(buyer, made.grant_id)
    jobs.run_pending("catalog.index")
    with transaction():
        provided = _provided(on)
        member = MemberFactory().id
        delegate = OrganizationFactory(provider=True).id
        delegation = delegations.open_delegation(on.provider, delegate, ["datasets.read"]).id
        rating = reputing.rate(buyer, on.dataset_id, RatingDraft(4)).id
        document = papers.document_of(queries.require_invoice(made.invoice_id)).id
    banking.import_statement(SYSTEM, "日付,入金額,振込依頼人名\n2026/11/22,100,ヤマダ\n".encode())
    steps.applicant()
    overseer = actor_of(_kept_operator())
    overseen = oversight.overseen(overseer, on.provider.organization_id, buyer.organization_id, str(made.invoice_id))
    ids = (
        _beside(exchange, on, buyer, made)
        | provided
        | overseen
        | disclosure.told()
        | {
            "line_id": bank.list_lines().items[0].id,
            "organization_id": buyer.organization_id,
            "member_id": member,
            "rating_id": rating,
            "provider_id": on.provider.organization_id,
            "delegation_id": delegation,
            "client_id": buyer.client_id,
            "dataset_id": on.dataset_id,
            "release_id": on.release_id,
            "name": market.NAME,
            "identifier": offer.terms_id,
            "offer_id": offer.id,
            "order_id": made.order.id,
            "traced_id": made.order.id,
            "invoice_id": made.invoice_id,
            "document_id": document,
            "grant_id": made.grant_id,
            "delivery_id": metering.list_deliveries(buyer).items[0].id,
            "adopted_id": archives.adopted(archives.former(2), tmp_path_factory.mktemp("former")),
            **_gone_wrong(on),
            **harvests.harvested(on.provider.organization_id, on.dataset_id),
            **_needed(on),
            **understood(on.provider, on.dataset_id),
            **privacy.found(on.provider, on.dataset_id),
        }
    )
    return Trade(ids)


def _kept_operator() -> Organization:
    with transaction():
        return OrganizationFactory(operator=True)


def _provided(on: market.Listed) -> dict[str, str]:
    """An upload on its way, and where the next releases of the dataset are fetched."""
    upload = uploads.open_upload(on.provider, UploadDraft(on.release_id, "more.csv", "text/csv", 10))
    source = SourceDraft("https://data.example.jp/a.csv", Schedule.DAILY, "a.csv", "text/csv")
    sources.set_source(on.provider, on.dataset_id, source)
    upstream = UpstreamDraft("https://data.example.jp/v1", ["/stations"], 60, openapi={"openapi": "3.1.0"})
    upstreams.set_upstream(on.provider, on.dataset_id, upstream)
    group = groups.make_group(on.provider, GroupDraft("観光推進の会"))
    return {"upload_id": upload.id, "path": "elsewhere", "group_id": group.id}


def _needed(on: market.Listed) -> dict[str, str]:
    """A dataset that joins the traded one, a saved search, and two data requests that are alike, one answered."""
    market.listed()
    jobs.run_pending("catalog.index")
    who = market.buyer()
    with transaction():
        watch = watching.save(who, WatchDraft("人流の新着", "人流", {}))
    request_id = stated(market.buyer()).id
    stated(market.buyer())
    with transaction():
        _request, given = demanding.answer(on.provider, request_id, teaser())
        return {"request_id": request_id, "answer_id": given.id, "watch_id": watch.id}


def _gone_wrong(on: market.Listed) -> dict[str, str]:
    """An incident that touches the trade, with its notices, and a hold on the dataset."""
    operator, now = market.party(operator=True), clock.now()
    scope = {"began_at": now - timedelta(days=1), "noticed_at": now, "dataset_ids": (on.dataset_id,)}
    with transaction():
        found = incident.open_incident(operator, IncidentDraft(IncidentKind.LEAK, "漏えい", "A leak", **scope))
        incident.tell(operator, found.id)
        hold = holding.place(operator, on.dataset_id, "訴訟のため")
        notice = incidents.list_notices(on.provider).items[0]
        return {"incident_id": found.id, "notice_id": notice.id, "hold_id": hold.id}


def _beside(exchange: Flask, on: market.Listed, buyer: Actor, made: Purchase) -> dict[str, str]:
    """What may come of a trade: discounts, a subscription, a yen refunded, an inquiry, a measured month, a payout."""
    until = clock.now() + timedelta(days=30)
    with transaction():
        coupon, _code = discounts.issue_coupon(on.provider, CouponDraft(until, basis_points=1_000))
        evidence = EligibilityDraft(DiscountClass.SME, "履歴事項全部証明書", "5f" * 32)
        ids = {"coupon_id": coupon.id, "eligibility_id": discounts.apply(buyer, evidence).id}
        ids["budget_id"] = spending.set_budget(buyer, BudgetDraft("研究費", 10_000)).id
        told_of = EndpointDraft("https://hooks.example.jp/", (EventType.LISTING_CHANGED,))
        ids |= {"webhook_id": webhooks.register(buyer, told_of)[0].id, "event_id": "evt_1"}
        measured = MeasurementDraft(on.dataset_id, "2020-01", 10_000, "監視記録", "a1" * 32)
        service_levels.measure(actor_of(OrganizationFactory(operator=True)), measured)
    monthly = market.offered(on, price=Price(PriceKind.SUBSCRIPTION, 3_000, term_months=1))
    ids["subscription_id"] = str(market.bought(exchange, buyer, monthly).order.subscription_id)
    ids["refund_id"] = money.refunded(made, 1)[0].id
    dispute.learn(controls.open_dispute(money.charge_of(made), inquiry=True)["id"], "evt_1")
    payout = payouts.paid(payouts.operator(), payouts.earned(exchange))
    ids |= {"payout_id": payout.id, "file_id": str(payout.file_id)}
    return ids | {"dispute_id": disputes.list_disputes(buyer).items[0].id}


@pytest.fixture(scope="module")
def caller(exchange: Flask) -> Callable[..., dict[str, str]]:
    """Make the header of somebody who is verified in these capacities, with every scope they can use."""

    def make(*capacities: Capacity) -> dict[str, str]:
        with transaction():
            organization = OrganizationFactory(capacities=[capacity.value for capacity in capacities])
            client = ApiClientFactory(organization=organization)
            scopes = " ".join(sorted(scopes_for(frozenset(capacities))))
            return {"Authorization": f"Bearer {access_tokens.issue(Bearer(client.id, organization.id, scopes))}"}

    return make
