"""Every route of the interface, with an address and a body that would work for its owner."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from flask import Flask
from joserfc.jwk import ECKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from marketplace.api.endpoint import GUARD
from marketplace.audit.models import Entry
from marketplace.billing import queries, sales
from marketplace.billing.bank import queries as bank
from marketplace.exchange import banking, dispute, facilities
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.permissions import PERMISSIONS, Permission, Rule
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.sandbox import controls
from tests.api import bodies_of_privacy, bodies_of_understanding
from tests.api.trade import DATASET, PRICES, Goods, Market, Party, fresh_key, ok, order_of, party
from tests.factories import archives
from tests.factories import privacy as people
from tests.factories.disclosure import told
from tests.factories.harvests import harvested
from tests.factories.oversight import overseen

PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")
PREFIXES = {
    "organization_id": "org", "provider_id": "org", "client_id": "cli", "member_id": "mem", "dataset_id": "ds", "release_id": "rel",
    "offer_id": "ofr", "order_id": "ord", "invoice_id": "inv", "grant_id": "grt", "identifier": "trm", "entry_id": "aud",
    "coupon_id": "cpn", "delegation_id": "dlg", "eligibility_id": "elg", "refund_id": "rfd", "dispute_id": "dsp", "subscription_id": "sub", "line_id": "bnk", "document_id": "doc", "payout_id": "pyt", "file_id": "pyf", "budget_id": "bdg", "webhook_id": "whk", "event_id": "evt", "delivery_id": "dlv", "upload_id": "upl", "traced_id": "ord",
    "adopted_id": "adr", "case_id": "cse", "search_id": "svs", "override_id": "ovr",
    "group_id": "grp", "rating_id": "rat", "teaser_id": "tsr", "citation_id": "cit", "incident_id": "inc", "notice_id": "inn", "hold_id": "hld",
    "finding_id": "fnd", "assessment_id": "pia", "objection_id": "obj", "request_id": "drq", "answer_id": "ran", "watch_id": "wch",
    "harvest_id": "hrv", "run_id": "hrn", "repair_id": "rpr",
}  # fmt: skip
# What the headers of an upload in pieces say: four bytes of a file, of which the first ones come now.
TUS = {
    "Tus-Resumable": "1.0.0", "Upload-Length": "4", "Upload-Offset": "0",
    "Upload-Metadata": "filename cGllY2VzLmNzdg==,filetype dGV4dC9jc3Y=",
}  # fmt: skip
SOURCE = {
    "url": "https://data.example.jp/a.csv", "schedule": "daily", "file_name": "a.csv", "media_type": "text/csv",
}  # fmt: skip
# An address on the open internet whose name nobody has to be asked for.
ORIGIN = {
    "url": "https://93.184.216.34/people.csv", "sha256": "0f" * 32, "size_bytes": 4, "media_type": "text/csv",
}  # fmt: skip
UPSTREAM = {"base_url": "https://data.example.jp/v1", "paths": ["/stations"], "requests_per_minute": 60}
WEBHOOK = {"url": "https://hooks.example.jp/musubi", "events": ["listing.published"]}
OPERATORS = frozenset({Capacity.OPERATOR})
PIECE = "PATCH /v1/uploads/<upload_id>"
QUERIES = {
    "GET /v1/offers": {"dataset_id": "dataset_id"},
    "GET /v1/price-guidance": {"theme": "theme"},
    "GET /v1/audit/receipts": {"subject": "order_id"},
}
"""What has to be asked for in the query, by the names of things."""
OF_EVERYBODY = frozenset({"POST /v1/teasers/<teaser_id>/watch", "DELETE /v1/teasers/<teaser_id>/watch"})
"""What whoever has a token may do with things of others: announcements are there for everybody to wait for."""

APPLICATION = {
    "name_ja": "株式会社新規", "name_en": "Shinki", "kind": "company", "capacities": ["buyer"],
    "contact_name": "佐藤 花子", "contact_email": "hanako@example.jp",
}  # fmt: skip
COUPON = {"basis_points": 1_000, "valid_until": (clock.now() + timedelta(days=30)).isoformat()}
BUDGET = {"name": "研究費", "limit_yen": 100_000_000}  # more than all orders of the walk come to
GROUP = {"name_ja": "観光推進の会", "name_en": "Tourism circle"}
INCIDENT = {
    "kind": "leak", "summary_ja": "鍵が漏えいした。", "summary_en": "A key has leaked.", "personal_data": True,
    "began_at": "2020-04-01T00:00:00+09:00", "noticed_at": "2020-04-02T00:00:00+09:00",
}  # fmt: skip
PAYOUT_ACCOUNT = {
    "bank_code": "0501",
    "branch_code": "013",
    "account_type": "1",
    "account_number": "0123456",
    "holder_kana": "カ）サッポロデータ",
    "is_business": True,
    "accepts_receipt_agency": True,
}
REQUEST = {
    "title": "大通公園周辺の歩行者数", "problem": "催しの効果を測りたい。", "theme": "transport_tourism",
    "deadline": (clock.today() + timedelta(days=30)).isoformat(), "budget_yen": 300_000,
}  # fmt: skip
EVIDENCE = {
    "class": "academic",
    "evidence_reference": "科研費 課題番号 23K00001",
    "evidence_sha256": "5f" * 32,
}


MEASURED = {
    "month": "2026-10",
    "availability_basis_points": 9_990,
    "evidence_reference": "監視記録 2026-10",
    "evidence_sha256": "a1" * 32,
}


@dataclass(frozen=True)
class Route:
    """One method of one address, with the permission that guards it."""

    method: str
    rule: str
    permission: Permission

    @property
    def demands(self) -> Rule:
        return PERMISSIONS[self.permission]

    @property
    def things(self) -> list[str]:
        """The placeholders of the address that are ids."""
        return [name for name in PLACEHOLDER.findall(self.rule) if name in PREFIXES]

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"


@dataclass
class Everything:
    """A thing of each kind, by the name of the placeholder that takes its id, and bodies that work."""

    ids: dict[str, str]
    bodies: dict[str, Any]

    def send(self, who: Party, route: Route, **instead: str) -> TestResponse:
        """Send a request that would work for its owner, with other ids where they are given."""
        path = PLACEHOLDER.sub(lambda found: quote((self.ids | instead)[found[1]], safe=""), route.rule)
        if route.method == "PUT" and str(route) not in self.bodies:
            return who.call("PUT", path, data=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
        headers = {"Idempotency-Key": fresh_key(), "If-Match": '"1"'} | TUS
        if str(route) == PIECE:
            return who.call(
                "PATCH", path, data=b"a,", headers=headers | {"Content-Type": "application/offset+octet-stream"}
            )
        body = None if route.method in {"GET", "DELETE"} else self.bodies.get(str(route), {})
        asked = {name: self.ids[thing] for name, thing in QUERIES.get(str(route), {}).items()}
        return who.call(route.method, path, json=body, headers=headers, query_string=asked)


def routes(app: Flask) -> list[Route]:
    """Every guarded method of every address under /v1 and of the log."""
    return [
        Route(method, rule.rule, getattr(app.view_functions[rule.endpoint], GUARD))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/v1/", "/audit/"))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def delegation_to(delegate: Party) -> str:
    """The id of a delegation that nobody else of the market is a party to."""
    body = {"delegate_id": delegate.organization_id, "permissions": ["datasets.read"]}
    return str(ok(party(delegate.app, "delegator", "provider").post("/v1/delegations", body), 201)["id"])


def everything_of(market: Market) -> Everything:
    """Trade once, so that there is a thing of each kind; the draft release takes uploads."""
    goods = market.goods()
    bought = market.bought(goods, "one_off")
    offer = market.offer(goods.dataset_id, "one_off", duration_days=30)
    person = {"name": "佐藤 花子", "role": "finance"}
    member = ok(market.provider.post("/v1/organizations/me/members", person), 201)
    entry = db.session.scalar(select(Entry.id).where(Entry.subject == bought["id"]).limit(1))
    ids = {
        "organization_id": market.provider.organization_id, "provider_id": market.provider.organization_id, "client_id": market.provider.client_id,
        "member_id": member["id"], "dataset_id": goods.dataset_id, "name": goods.file_name,
        "offer_id": offer["id"], "order_id": bought["id"], "invoice_id": bought["invoice_id"],
        "grant_id": bought["grant_id"], "identifier": offer["terms_id"], "entry_id": str(entry), "traced_id": bought["id"],
    } | coming(market, goods)  # fmt: skip
    coupon = ok(market.provider.post("/v1/coupons", COUPON), 201)
    eligibility = ok(market.buyer.post("/v1/eligibilities", EVIDENCE | {"class": "sme"}), 201)
    budget = ok(market.buyer.post("/v1/budgets", BUDGET), 201)
    webhook = ok(market.provider.post("/v1/webhooks", WEBHOOK), 201)["id"]
    ok(market.provider.post(f"/v1/webhooks/{webhook}/test"), 202)
    ids |= {
        "webhook_id": webhook,
        "event_id": ok(market.provider.get(f"/v1/webhooks/{webhook}/messages"))["items"][0]["id"],
    }
    ids |= {"coupon_id": coupon["id"], "eligibility_id": eligibility["id"], "budget_id": budget["id"]}
    ids["rating_id"] = ok(market.buyer.call("PUT", f"/v1/datasets/{goods.dataset_id}/rating", json={"stars": 4}))["id"]
    ids["group_id"] = ok(market.provider.post("/v1/groups", GROUP), 201)["id"]
    documents = ok(market.buyer.get(f"/v1/documents?kind=invoice&about={bought['invoice_id']}"))
    ids["document_id"] = documents["items"][0]["id"]
    ids["line_id"] = transferred()
    market.fetch(bought["grant_id"])
    ids["delivery_id"] = ok(market.buyer.get("/v1/deliveries"))["items"][0]["id"]
    ids |= paid_out(market) | {"delegation_id": delegation_to(market.provider)}
    ids |= given_back(market, bought) | {"subscription_id": subscribed(market, goods)}
    ids |= overseen_of(market, bought) | told() | gone_wrong(market, goods) | needed(market)
    ids |= harvested(market.provider.organization_id, goods.dataset_id)
    ids |= people.found(Actor(market.provider.organization_id), goods.dataset_id)
    with TemporaryDirectory() as folder:
        ids |= {"adopted_id": archives.adopted(archives.former(2), Path(folder)), "tile_path": "0/000"}
    ids |= bodies_of_understanding.made_of(market, goods.dataset_id, market.terms("free")["id"])
    return Everything(ids, bodies_of(market, goods, offer, bought))


def hide(market: Market, everything: Everything) -> None:
    """List the dataset to a group alone, of which its provider is the only member: to others it is not there."""
    path = f"/v1/datasets/{everything.ids['dataset_id']}/audience"
    ok(market.provider.call("PUT", path, json={"group_id": everything.ids["group_id"]}))


def bodies_of(market: Market, goods: Goods, offer: dict[str, Any], bought: dict[str, Any]) -> dict[str, Any]:
    """A body that works for each address that takes one."""
    version = {"terms_id": offer["terms_id"], "price": PRICES["one_off"]}
    return {
        "POST /v1/organizations": APPLICATION,
        "POST /v1/organizations/<organization_id>/trust": {"trust": "qualified"}, "POST /v1/organizations/<organization_id>/suspend": {"reason": "規約違反"},
        "POST /v1/organizations/<organization_id>/members": {"name": "鈴木 一郎", "role": "developer"},
        "PATCH /v1/organizations/<organization_id>/members/<member_id>": {"role": "developer"},
        "POST /v1/clients": {"name": "夜間バッチ"}, "POST /v1/delegations": {"delegate_id": market.rival.organization_id, "permissions": ["datasets.read"]},
        "POST /v1/datasets": DATASET,
        "POST /v1/datasets/import": {"package": {"id": "p1", "name": "p1", "title": "人口", "resources": []}},
        "PATCH /v1/datasets/<dataset_id>": {"title_en": "Another title"},
        "POST /v1/datasets/<dataset_id>/releases": {"label": "v2"},
        "PUT /v1/datasets/<dataset_id>/source": SOURCE,
        **bodies_of_understanding.bodies_of(offer, market.terms("free")["id"]),
        "POST /v1/harvests": {"url": "https://ckan.example.jp/"}, "POST /v1/harvests/<harvest_id>/runs": {"dry_run": True},
        "PUT /v1/datasets/<dataset_id>/upstream": UPSTREAM | {"openapi": {"openapi": "3.1.0"}},
        "PUT /v1/releases/<release_id>/files/<name>/origin": ORIGIN,
        "POST /v1/deliveries/<delivery_id>/corrections": {"reference": "c1", "reason": "訂正", "bytes": -1},
        "POST /v1/deliveries/<delivery_id>/report": {"report_id": "r1", "bytes_sent": 1, "complete": False},
        "PUT /v1/datasets/<dataset_id>/audience": {"group_id": None},
        "PUT /v1/datasets/<dataset_id>/rating": {"stars": 5, "text_ja": "役に立った。"},
        "PUT /v1/ratings/<rating_id>/reply": {"text_ja": "ありがとうございます。"},
        "POST /v1/ratings/<rating_id>/hide": {"reason": "個人名が含まれるため"},
        "POST /v1/groups": GROUP, "PATCH /v1/groups/<group_id>": GROUP,
        "POST /v1/groups/<group_id>/members": {"organization_id": market.buyer.organization_id}, "POST /v1/terms": {"template": "research"},
        "POST /v1/offers": {"dataset_id": goods.dataset_id} | version,
        "POST /v1/offers/<offer_id>/supersede": version,
        "POST /v1/orders": order_of(offer),
        "POST /v1/orders/<order_id>/slip": {"number": "2026-1", "paid_on": "2026-11-20", "ordinance": "手数料条例"},
        "POST /v1/invoices/<invoice_id>/refunds": {"amount_yen": 1},
        "POST /v1/refunds/<refund_id>/bank": {"succeeded": True},
        "POST /v1/service-levels": MEASURED | {"dataset_id": goods.dataset_id},
        "POST /v1/bank/lines/<line_id>/assign": {"organization_id": market.buyer.organization_id},
        "POST /v1/bank/lines/<line_id>/return": {"reason": "振込先の誤り"},
        "POST /v1/bank/applications": {"invoice_id": bought["invoice_id"], "amount_yen": 1},
        "POST /v1/bank/returns": {"payment_id": queries.list_payments(order_id=bought["id"])[0].id},
        "POST /v1/receivables/<organization_id>/limit": {"credit_limit_yen": 500_000},
        "POST /v1/grants/<grant_id>/revoke": {"reason": "規約違反"},
        "POST /v1/grants/<grant_id>/tickets": {"file_name": goods.file_name},
        "PUT /v1/payout-account": PAYOUT_ACCOUNT,
        "PUT /v1/clients/<client_id>/keys": {"jwks": {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}},
        "POST /v1/payouts/claims": {"organization_id": market.provider.organization_id},
        "POST /v1/payouts/<payout_id>/paid": {"paid_on": clock.today().isoformat()},
        "POST /v1/payouts/<payout_id>/failed": {"reason": "口座相違"},
        "POST /v1/payout-files": {"transfer_on": clock.today().isoformat()},
        "POST /v1/quotes": {"offer_id": offer["id"]},
        "POST /v1/documents/rounding": {"tax_rounding": "floor"},
        "POST /v1/documents/<document_id>/corrections": {"reason_ja": "宛名の誤り", "reason_en": "Wrong name"},
        "POST /v1/organizations/<organization_id>/registrations": {
            "number": "T9000020011002",
            "valid_from": "2023-10-01",
        },
        "POST /v1/coupons": COUPON,
        "POST /v1/webhooks": WEBHOOK, "PATCH /v1/webhooks/<webhook_id>": {"description": "監視"},
        "POST /v1/budgets": BUDGET, "PATCH /v1/budgets/<budget_id>": {"limit_yen": 200_000_000},
        "POST /v1/cases/<case_id>/assign": {"member_id": new_id("mem")}, "POST /v1/cases/<case_id>/notes": {"words": "照会中"}, "POST /v1/cases/<case_id>/close": {"reason": "問題なし"},
        "POST /v1/audit/searches": {"name": "注文", "query": {"verb": "billing.order.placed"}},
        "POST /v1/overrides": {"deed": "refund", "about": bought["invoice_id"], "reason": "申し出による"},
        "POST /v1/eligibilities": EVIDENCE,
        "POST /v1/incidents": INCIDENT | {"dataset_ids": [goods.dataset_id]},
        "POST /v1/incidents/<incident_id>/reports": {"stage": "full", "reference": "PPC-1", "evidence_sha256": "5f" * 32},
        "POST /v1/incidents/<incident_id>/close": {"report": "原因と再発防止策"}, "POST /v1/holds": {"subject": goods.dataset_id, "reason": "訴訟のため"}, "POST /v1/holds/<hold_id>/lift": {"reason": "和解"},
        "POST /v1/data-requests": REQUEST, "POST /v1/saved-searches": {"name": "人流", "q": "人流"},
        "PUT /v1/data-request-letters": {"letters": True}, "PUT /v1/data-requests/<request_id>/pledge": {"amount_yen": 10_000},
        "POST /v1/data-requests/<request_id>/answers": {"kind": "teaser", "words": "作れます。"},
        "POST /v1/data-requests/<request_id>/merge": {"into_id": new_id("drq")},
        "POST /v1/eligibilities/<eligibility_id>/grant": {"valid_until": COUPON["valid_until"]},
        "POST /v1/eligibilities/<eligibility_id>/refuse": {"reason": "証明書の期限切れ"},
    } | bodies_of_privacy.BODIES  # fmt: skip


def transferred() -> str:
    """The id of a line of a bank statement that nobody knows the reason of."""
    statement = "日付,入金額,振込依頼人名\n2026/11/22,100,ヤマダ\n"
    banking.import_statement(SYSTEM, statement.encode())
    return bank.list_lines().items[0].id


def coming(market: Market, goods: Goods) -> dict[str, str]:
    """A draft release with a file and with another on its way, and where the ones after it are fetched."""
    draft = market.release(goods.dataset_id, "draft")["id"]
    ok(market.upload(draft), 201)
    begun = ok(market.provider.post(f"/v1/releases/{draft}/uploads", headers=TUS), 201)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/source", json=SOURCE))
    described = UPSTREAM | {"openapi": {"openapi": "3.1.0"}}
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/upstream", json=described))
    # A path that is not offered: whoever is let in is told so, and nobody outside is asked.
    return {"release_id": draft, "upload_id": begun, "path": "elsewhere"}


def gone_wrong(market: Market, goods: Goods) -> dict[str, str]:
    """An incident of which the provider has a notice, and a hold: neither has anything rest."""
    draft = INCIDENT | {"dataset_ids": [goods.dataset_id], "organization_ids": [market.buyer.organization_id]}
    incident = ok(market.operator.post("/v1/incidents", draft), 201)["id"]
    ok(market.operator.post(f"/v1/incidents/{incident}/notices"))
    notice = ok(market.provider.get("/v1/incident-notices"))["items"][0]["id"]
    hold = ok(market.operator.post("/v1/holds", {"subject": goods.dataset_id, "reason": "訴訟のため"}), 201)["id"]
    return {"incident_id": incident, "notice_id": notice, "hold_id": hold}


def needed(market: Market) -> dict[str, str]:
    """A data request that the operator has closed, so that it is there for its requester alone; others are public."""
    request = ok(market.buyer.post("/v1/data-requests", REQUEST), 201)["id"]
    ok(market.operator.post(f"/v1/data-requests/{request}/close", {"reason": "規約違反"}))
    watch = ok(market.buyer.post("/v1/saved-searches", {"name": "気温", "q": "気温"}), 201)["id"]
    return {"request_id": request, "answer_id": new_id("ran"), "theme": "transport_tourism", "watch_id": watch}


def subscribed(market: Market, goods: Goods) -> str:
    """A subscription whose first term is paid."""
    monthly = {"kind": "subscription", "amount_yen": 3_000, "term_months": 1}
    placed = ok(market.order(market.offer(goods.dataset_id, "one_off", price=monthly)), 201)
    market.pay(placed["checkout_url"])
    return str(ok(market.buyer.get(f"/v1/orders/{placed['id']}"))["subscription_id"])


def given_back(market: Market, bought: dict[str, Any]) -> dict[str, str]:
    """One yen refunded of an order, and an inquiry into its payment: neither changes what anybody may fetch."""
    refunded = ok(market.operator.post(f"/v1/invoices/{bought['invoice_id']}/refunds", {"amount_yen": 1}), 201)
    gateway = facilities.current().gateway
    paid = queries.list_payments(order_id=bought["id"])[0]
    charge = gateway.fetch_checkout(paid.session_id).charge_id
    dispute.learn(controls.open_dispute(charge, inquiry=True)["id"], "evt_1")
    [inquiry] = ok(market.buyer.get("/v1/disputes"))["items"]
    return {"refund_id": refunded["items"][0]["id"], "dispute_id": inquiry["id"]}


def overseen_of(market: Market, bought: dict[str, Any]) -> dict[str, str]:
    """A case, a saved search and a proposed override."""
    operator = Actor(market.operator.organization_id, market.operator.client_id, capacities=OPERATORS)
    return overseen(operator, market.provider.organization_id, market.buyer.organization_id, str(bought["invoice_id"]))


def paid_out(market: Market) -> dict[str, str]:
    """What the provider has earned so far, on its way to the bank in a file."""
    ok(market.provider.call("PUT", "/v1/payout-account", json=PAYOUT_ACCOUNT))
    with transaction():
        sales.release_due(SYSTEM, clock.today() + timedelta(days=60))
    drawn = ok(market.operator.post("/v1/payouts", {"organization_id": market.provider.organization_id}), 201)
    file = ok(market.operator.post("/v1/payout-files", {"transfer_on": clock.today().isoformat()}), 201)
    return {"payout_id": drawn["items"][0]["id"], "file_id": file["id"]}


def unknown(name: str) -> str:
    """An id of the right form that nothing has."""
    return new_id(PREFIXES[name])
