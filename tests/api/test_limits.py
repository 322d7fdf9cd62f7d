"""How much of a request is read: beyond it the answer is a clear refusal, and nothing has changed."""

import json
from typing import Any

import pytest
from flask import Flask

from marketplace.kit import nesting
from tests.api.trade import Market, call, refused, row_counts

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FORMS = ["/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization", "/sign-in"]


def nested(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(("levels", "deeper"), [(0, False), (3, False), (4, True), (900, True)])
def test_nesting_is_counted_level_by_level(levels: int, deeper: bool) -> None:
    assert nesting.is_deeper(nested(levels), 3) is deeper


def test_deep_json_is_refused_with_the_number_of_levels(market: Market) -> None:
    before = row_counts()
    at_most = market.app.config["MUSUBI_SETTINGS"].json_depth_max
    deep = json.dumps({"package": nested(at_most)})
    document = refused(
        market.provider.send("POST", "/v1/datasets/import", deep, Idempotency_Key="k"), 400, "bad-request"
    )
    assert f"{at_most} levels" in document["detail"]
    allowed = json.dumps({"package": nested(at_most - 1)})
    assert market.provider.send("POST", "/v1/datasets/import", allowed, Idempotency_Key="k2").status_code == 422
    assert row_counts() == before


def test_what_is_too_large_names_the_limit(market: Market) -> None:
    at_most = market.app.config["MUSUBI_SETTINGS"].request_body_bytes_max
    sent = market.provider.send("POST", "/v1/datasets", b'"' + b"x" * at_most + b'"', Idempotency_Key="k")
    assert str(at_most) in refused(sent, 413, "too-large")["detail"]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_has_so_many_fields_and_no_more(app: Flask, path: str) -> None:
    before = row_counts()
    at_most = app.config["MUSUBI_SETTINGS"].form_fields_max
    many = "&".join(f"a{n}=1" for n in range(at_most + 1))
    assert call(app, "POST", path, data=many, headers=FORM).status_code == 413
    same = "&".join(["resource=1"] * (at_most + 1))
    assert call(app, "POST", path, data=same, headers=FORM).status_code == 413
    few = "&".join(f"a{n}=1" for n in range(at_most))
    assert call(app, "POST", path, data=few, headers=FORM).status_code in {400, 401, 403}
    assert row_counts() == before


@pytest.mark.parametrize("path", FORMS)
def test_a_form_in_parts_is_bounded_as_well(app: Flask, path: str) -> None:
    before = row_counts()
    parts = {f"a{n}": "1" for n in range(app.config["MUSUBI_SETTINGS"].form_fields_max + 1)}
    assert call(app, "POST", path, data=parts, content_type="multipart/form-data").status_code in {400, 413}
    assert row_counts() == before


def test_no_address_reads_a_body_without_a_bound(app: Flask) -> None:
    """What is announced as larger is refused before it is read, wherever it is not a file."""
    before = row_counts()
    too_large = str(app.config["MUSUBI_SETTINGS"].request_body_bytes_max + 1)
    for rule in app.url_map.iter_rules():
        if rule.arguments or "POST" not in (rule.methods or set()):
            continue
        headers = {"Content-Type": "application/json", "Content-Length": too_large, "Idempotency-Key": "k"}
        status = call(app, "POST", rule.rule, headers=headers).status_code
        assert status == 303 or 400 <= status < 500, (rule.rule, status)
    assert row_counts() == before
