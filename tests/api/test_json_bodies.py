"""What a body must be before a story begins: JSON, bounded, of the described fields, with numbers that are numbers."""

import json

import pytest

from tests.api.trade import DATASET, Goods, Market, ok, party, refused, row_counts

JSON_ROUTES = [
    ("POST", "/v1/organizations", "applicant"),
    ("POST", "/v1/datasets", "provider"),
    ("POST", "/v1/terms", "provider"),
    ("POST", "/v1/offers", "provider"),
    ("POST", "/v1/clients", "provider"),
    ("POST", "/v1/orders", "buyer"),
    ("POST", "/v1/settlements", "operator"),
]


def _caller(market: Market, role: str):
    return market.nobody if role == "applicant" else getattr(market, role)


@pytest.mark.parametrize(("method", "path", "role"), JSON_ROUTES)
@pytest.mark.parametrize(
    "raw",
    [
        "{",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": "\\ud800"}',
        "[" * 100_000,
        '{"a": 1e999}',
        b'{"a": "\xff"}',
        "undefined",
    ],
    ids=["cut off", "NaN", "Infinity", "half a surrogate pair", "bottomless", "beyond doubles", "not UTF-8", "no JSON"],
)
def test_what_is_not_json_is_a_bad_request(market: Market, method: str, path: str, role: str, raw) -> None:
    before = row_counts()
    refused(_caller(market, role).send(method, path, raw, Idempotency_Key="k"), 400, "bad-request")
    assert row_counts() == before


@pytest.mark.parametrize(("method", "path", "role"), JSON_ROUTES)
def test_bodies_are_objects_in_json_within_bounds(market: Market, method: str, path: str, role: str) -> None:
    who, before = _caller(market, role), row_counts()
    for raw in ("[]", '"text"', "5", "null", "true"):
        refused(who.send(method, path, raw, Idempotency_Key="k"), 422, "invalid-input", "")
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        sent = who.send(method, path, "{}", Content_Type=media_type, Idempotency_Key="k")
        refused(sent, 415, "unsupported-media-type")
    limit = market.app.config["MUSUBI_SETTINGS"].request_body_bytes_max
    refused(who.send(method, path, '"' + "x" * limit + '"', Idempotency_Key="k"), 413, "too-large")
    assert row_counts() == before


@pytest.mark.parametrize(("method", "path", "role"), JSON_ROUTES)
def test_unknown_fields_are_refused_and_pointed_at(market: Market, method: str, path: str, role: str) -> None:
    answer = _caller(market, role).send(method, path, json.dumps({"a/b~c": 1, "role": "admin"}), Idempotency_Key="k")
    document = refused(answer, 422, "invalid-input")
    unknown = [error["pointer"] for error in document["errors"] if error["detail"] == "Unknown field."]
    assert sorted(unknown) == ["/a~1b~0c", "/role"]


def test_nobody_gives_itself_what_only_the_exchange_gives(market: Market) -> None:
    """Mass assignment of owner, state, price and capacity."""
    for field, value in {
        "organization_id": market.rival.organization_id,
        "state": "published",
        "version": 9,
        "id": "x",
    }.items():
        refused(market.provider.post("/v1/datasets", DATASET | {field: value}), 422, "invalid-input", f"/{field}")
    application = {"name_ja": "監査室", "name_en": "Audit", "kind": "public_body", "capacities": ["operator"]}
    application |= {"contact_name": "監査 太郎", "contact_email": "audit@example.jp"}
    refused(market.nobody.post("/v1/organizations", application), 422, "invalid-input", "/capacities/0")
    refused(market.nobody.post("/v1/organizations", application | {"state": "verified"}), 422, "invalid-input")


def test_faults_inside_lists_and_objects_are_pointed_at(market: Market, goods: Goods) -> None:
    refused(
        market.provider.post("/v1/datasets", DATASET | {"keywords": ["人流", 5, ""]}),
        422,
        "invalid-input",
        "/keywords/1",
        "/keywords/2",
    )
    body = {
        "dataset_id": goods.dataset_id,
        "terms_id": market.terms()["id"],
        "price": {"kind": "one_off", "amount_yen": 2.5, "x": 1},
    }
    refused(market.provider.post("/v1/offers", body), 422, "invalid-input", "/price/amount_yen", "/price/x")


@pytest.mark.parametrize(
    "amount",
    [
        2.5,
        "7",
        "",
        True,
        False,
        None,
        [],
        {},
        -1,
        -5000.0,
        1e30,
        10**30,
        2**63,
        2**64,
        49,
        0,
        "５０００",
        "1e3",
        5000.1,
        1e-9,
    ],
)
def test_an_amount_is_a_whole_number_of_yen_in_range(market: Market, goods: Goods, amount) -> None:
    body = {
        "dataset_id": goods.dataset_id,
        "terms_id": market.terms()["id"],
        "price": {"kind": "one_off", "amount_yen": amount},
    }
    before = row_counts()
    refused(market.provider.post("/v1/offers", body), 422, "invalid-input", "/price/amount_yen")
    assert row_counts() == before


@pytest.mark.parametrize("raw", ["5000", "5000.0", "5e3", "5000.000"])
def test_a_whole_number_may_be_written_as_json_allows(market: Market, goods: Goods, raw: str) -> None:
    body = {
        "dataset_id": goods.dataset_id,
        "terms_id": market.terms()["id"],
        "price": {"kind": "one_off", "amount_yen": 0},
    }
    made = ok(market.provider.send("POST", "/v1/offers", json.dumps(body).replace('_yen": 0', f'_yen": {raw}')), 201)
    assert made["amount_yen"] == 5000
    assert isinstance(made["amount_yen"], int)


@pytest.mark.parametrize(
    "field", ["duration_days", "quota_bytes", "quota_downloads", "quota_rows", "quota_requests", "quota_streams"]
)
@pytest.mark.parametrize("value", [0, -1, 1.5, "30", True, 1e30, 2**63])
def test_limits_are_whole_positive_numbers_where_the_wire_has_them(
    market: Market, goods: Goods, field: str, value
) -> None:
    body = {
        "dataset_id": goods.dataset_id,
        "terms_id": market.terms()["id"],
        "price": {"kind": "one_off", "amount_yen": 500},
    }
    refused(market.provider.post("/v1/offers", body | {field: value}), 422, "invalid-input", f"/{field}")


def test_faults_found_by_the_domain_point_into_the_request(market: Market, goods: Goods) -> None:
    offer = {
        "dataset_id": goods.dataset_id,
        "terms_id": market.terms()["id"],
        "price": {"kind": "one_off", "amount_yen": 500},
    }
    too_long = market.provider.post("/v1/offers", offer | {"duration_days": 36_526})
    refused(too_long, 422, "invalid-input", "/duration_days")
    beyond = market.provider.post("/v1/offers", offer | {"quota_bytes": 2**54})
    refused(beyond, 422, "invalid-input", "/quota_bytes")
    free = market.provider.post("/v1/offers", offer | {"price": {"kind": "free"}})
    refused(free, 422, "invalid-input", "/price/kind")
    terms = {"template": "standard-commercial", "items": {"use_application": ["教育"], "fee": "むりょう"}}
    refused(market.provider.post("/v1/terms", terms), 422, "invalid-input", "/items/fee")
    unknown = refused(market.provider.post("/v1/terms", {"template": "nonsense"}), 422, "invalid-input")
    assert {"/template", "/items/fee"} < {error["pointer"] for error in unknown["errors"]}
    disagreeing = {"template": "cc-by-4.0", "items": {"nda": "求める"}}
    refused(market.provider.post("/v1/terms", disagreeing), 422, "invalid-input", "/items/nda")


@pytest.mark.parametrize("sign", ["\0", "\r\n", "\x1b", "\x7f", "\u2028", "\x85"])
def test_single_lines_hold_no_control_signs(market: Market, sign: str) -> None:
    before = row_counts()
    refused(
        market.provider.post("/v1/datasets", DATASET | {"title_ja": f"人流{sign}注入"}),
        422,
        "invalid-input",
        "/title_ja",
    )
    refused(market.provider.post("/v1/clients", {"name": f"夜間{sign}"}), 422, "invalid-input", "/name")
    assert row_counts() == before


def test_running_text_holds_no_nul(market: Market) -> None:
    refused(
        market.provider.post("/v1/datasets", DATASET | {"description_ja": "a\0b"}),
        422,
        "invalid-input",
        "/description_ja",
    )


def test_a_package_of_ckan_that_cannot_be_kept_is_refused(market: Market) -> None:
    before = row_counts()
    for package in ({}, {"id": "a\0b", "title": "x"}, {"id": 5}, {"id": "x" * 300_000}, {"id": "p", "extras": [[[]]]}):
        assert market.provider.post("/v1/datasets/import", {"package": package}).status_code == 422, package
    assert row_counts() == before


def test_problems_speak_the_language_of_the_reader(market: Market) -> None:
    applicant = party(market.app, "applicant", "buyer", applicant=True)
    path = "/v1/orders"
    japanese = refused(
        applicant.get(path, headers={"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"}), 403, "capacity-missing"
    )
    english = refused(applicant.get(path, headers={"Accept-Language": "en-GB"}), 403, "capacity-missing")
    assert (japanese["title"], english["title"]) == ("資格がありません", "Capacity missing")
