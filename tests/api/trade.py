"""Parties that speak to the interface through its own routes, and the trades they make."""

import contextvars
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import factory
from flask import Flask
from flask.globals import _cv_app
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from marketplace.audit.models import Entry
from marketplace.exchange import balance, payment
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import catalog as factories
from tests.factories.identity import ApiClientFactory, OrganizationFactory

CONTENT = "日時,地点,人数\n2026-11-22,大通,123\n2026-11-23,大通,456\n".encode()
DATASET = {
    "title_ja": "大通地区の人流",
    "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。",
    "description_en": "Passers-by by the hour.",
    "themes": ["transport_tourism"],
    "region": "011002",
    "language": "ja",
    "update_frequency": "DAILY",
}
PRICES: dict[str, dict[str, Any]] = {
    "free": {"kind": "free"},
    "one_off": {"kind": "one_off", "amount_yen": 12_000},
    "per_mib": {"kind": "per_unit", "unit": "mib", "unit_yen": "300"},
    "subscription": {"kind": "subscription", "amount_yen": 3_000, "term_months": 1},
}
PUBLIC = "CC-BY-4.0"
T = TypeVar("T")
_numbers = itertools.count(1)


def fresh_key() -> str:
    """An Idempotency-Key never used before."""
    return f"key-{next(_numbers)}"


def in_a_context_of_its_own(send: Callable[[], T]) -> T:
    """Send a request as from outside: with an application context of its own, as on a server."""

    def alone() -> T:
        _cv_app.set(None)  # type: ignore[arg-type] # as if the test's own context were not there
        return send()

    return contextvars.copy_context().run(alone)


def call(app: Flask, method: str, path: str, **kwargs: Any) -> TestResponse:
    """Send one request and read the whole answer."""
    return in_a_context_of_its_own(lambda: app.test_client().open(path, method=method, buffered=True, **kwargs))


@dataclass
class Party:
    """An organization with a client, and a token for some scopes; None for nobody."""

    app: Flask
    role: str
    organization_id: str = ""
    client_id: str = ""
    token: str | None = None

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = dict(kwargs.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return call(self.app, method, path, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **kwargs: Any) -> TestResponse:
        headers = {"Idempotency-Key": key or fresh_key()} | kwargs.pop("headers", {})
        return self.call("POST", path, json={} if body is None else body, headers=headers, **kwargs)

    def send(self, method: str, path: str, raw: str | bytes, **headers: str) -> TestResponse:
        """Send a body as it is, as JSON where nothing else is said."""
        fields = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.call(method, path, data=raw, headers=fields)

    def with_scopes(self, *scopes: str) -> "Party":
        """The same client with a token for these scopes alone."""
        return Party(self.app, self.role, self.organization_id, self.client_id, _token(self, scopes))


def party(app: Flask, role: str, *capacities: str, **traits: Any) -> Party:
    """An organization of its own in these capacities, with a token for all their scopes."""
    organization = OrganizationFactory(capacities=list(capacities), **traits)
    client = ApiClientFactory(organization=organization)
    db.session.commit()
    made = Party(app, role, organization.id, client.id)
    made.token = _token(made, client.scopes)
    return made


def _token(owner: Party, scopes: Any) -> str:
    with transaction():
        return access_tokens.issue(Bearer(owner.client_id, owner.organization_id, " ".join(sorted(scopes))))


@dataclass
class Goods:
    """A published dataset."""

    dataset_id: str
    release_id: str
    file_name: str
    content: bytes
    terms: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Market:
    """Everybody who takes part, and what they do again and again."""

    app: Flask
    provider: Party
    rival: Party
    buyer: Party
    stranger: Party
    operator: Party
    auditor: Party
    nobody: Party

    def dataset(self, owner: Party | None = None, **changes: Any) -> dict[str, Any]:
        return ok((owner or self.provider).post("/v1/datasets", DATASET | changes), 201)

    def release(self, dataset_id: str, label: str = "2026-11") -> dict[str, Any]:
        return ok(self.provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": label}), 201)

    def upload(self, release_id: str, name: str = "人流.csv", content: bytes = CONTENT, **headers: str) -> TestResponse:
        return put_file(self.provider, release_id, name, content, **headers)

    def publish(self, release_id: str) -> dict[str, Any]:
        for file in ok(self.provider.get(f"/v1/releases/{release_id}"))["files"]:
            profiled(file["id"])
        return ok(self.provider.post(f"/v1/releases/{release_id}/publish"))

    def goods(self, name: str = "人流.csv", content: bytes = CONTENT, **changes: Any) -> Goods:
        dataset_id = self.dataset(**changes)["id"]
        release_id = self.release(dataset_id)["id"]
        ok(self.upload(release_id, name, content), 201)
        self.publish(release_id)
        return Goods(dataset_id, release_id, name, content)

    def terms(self, kind: str = "one_off") -> dict[str, Any]:
        body = {"template": "public-interest" if kind == "free" else "standard-commercial"}
        return ok(self.provider.post("/v1/terms", body), 201)

    def offer(self, dataset_id: str, kind: str = "free", **changes: Any) -> dict[str, Any]:
        body = {"dataset_id": dataset_id, "terms_id": self.terms(kind)["id"], "price": PRICES[kind]}
        return ok(self.provider.post("/v1/offers", body | changes), 201)

    def order(self, offer: dict[str, Any], buyer: Party | None = None, key: str | None = None) -> TestResponse:
        return (buyer or self.buyer).post("/v1/orders", order_of(offer), key=key)

    def bought(self, goods: Goods | None = None, kind: str = "free", **limits: Any) -> dict[str, Any]:
        """The order of an offer, paid where it costs something, with its grant."""
        goods = goods or self.goods()
        placed = ok(self.order(self.offer(goods.dataset_id, kind, **limits)), 201)
        if placed["checkout_url"]:
            self.pay(placed["checkout_url"])
        return ok(self.buyer.get(f"/v1/orders/{placed['id']}"))

    def pay(self, checkout_url: str) -> None:
        """Press the button of the payment page, and let the exchange learn of it from the gateway."""
        answer = call(self.app, "POST", f"{urlsplit(checkout_url).path}/pay")
        assert answer.status_code == 303, answer.text
        payment.backfill()
        payment.work_inbox()
        balance.reconcile()
        db.session.commit()

    def fetch(self, grant_id: str, name: str = "人流.csv", who: Party | None = None, **headers: str) -> TestResponse:
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        return (who or self.buyer).get(file_path(grant_id, name), headers=fields)

    def head(self, grant_id: str, name: str = "人流.csv", **headers: str) -> TestResponse:
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.buyer.call("HEAD", file_path(grant_id, name), headers=fields)

    def usage(self, grant_id: str, who: Party | None = None) -> tuple[int, int]:
        """Charged bytes and counted deliveries of a grant."""
        stated = ok((who or self.buyer).get("/v1/usage", query_string={"grant_id": grant_id}))
        return stated["total_bytes"], stated["total_deliveries"]


def market_of(app: Flask) -> Market:
    """One party for each part, and noise: organizations and datasets that nobody asks for."""
    made = Market(
        app,
        provider=party(
            app,
            "provider",
            "provider",
            invoice_registration_number=factory.LazyAttribute(lambda new: f"T{new.corporate_number}"),
        ),
        rival=party(app, "rival", "provider"),
        buyer=party(app, "buyer", "buyer"),
        stranger=party(app, "stranger", "buyer"),
        operator=party(app, "operator", "operator"),
        auditor=party(app, "auditor", "auditor"),
        nobody=Party(app, "nobody"),
    )
    ok(made.rival.post("/v1/datasets", DATASET | {"title_ja": "他社のデータ"}), 201)
    return made


def ok(answer: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer that is as it should be."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:1000]}"
    return answer.json


def refused(answer: TestResponse, status: int, slug: str, *pointers: str) -> dict[str, Any]:
    """The problem document of a refusal of this kind that points at these places."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:1000]}"
    assert answer.content_type == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.data)
    assert document["type"].endswith(f"/problems/{slug}"), document
    assert document["status"] == status
    assert {"title", "detail", "cure", "instance"} <= set(document)
    if pointers:
        assert sorted(error["pointer"] for error in document["errors"]) == sorted(pointers), document["errors"]
    return document


def order_of(offer: dict[str, Any]) -> dict[str, str]:
    """What a buyer sends to order an offer."""
    return {"offer_id": offer["id"], "accept_terms_sha256": offer["terms_sha256"]}


def file_path(grant_id: str, name: str) -> str:
    """Where a file of a grant is fetched."""
    return f"/v1/grants/{grant_id}/files/{quote(name)}"


def put_file(who: Party, release_id: str, name: str, content: bytes, **headers: str) -> TestResponse:
    """Upload bytes as a file of a release."""
    fields = {"Content-Type": "text/csv"} | {key.replace("_", "-"): value for key, value in headers.items()}
    path = f"/v1/releases/{release_id}/files/{quote(name, safe='')}"
    return who.call("PUT", path, data=content, headers=fields)


def profiled(file_id: str) -> None:
    """Have a file profiled without starting the profiler."""
    with transaction():
        factories.profiled(file_id, {"format": "CSV", "rows": 2, "columns": []})


def pages_of(who: Party, path: str, size: int, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page after page, each page as full as asked for."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = ok(who.get(path, query_string={"size": size} | query | cursor))
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        assert len(page["items"]) == size
        cursor = {"cursor": page["next_cursor"]}


def row_counts() -> dict[str, int]:
    """How many rows each table holds: equal before and after a request that changed nothing.

    Bytes that arrived for a file that was refused are noted to be removed a day later: not counted.
    """
    names = db.session.scalars(
        text(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
            " AND relname <> 'content_disposal'"
        )
    ).all()
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in sorted(names))
    return dict(db.session.execute(text(counts)).all())  # type: ignore[arg-type] # pairs


def audit_count() -> int:
    """How many deeds are on record."""
    return db.session.scalar(select(func.count()).select_from(Entry)) or 0
