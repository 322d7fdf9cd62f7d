"""Requests made at random from the description: no fault of ours, and answers as described."""

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.identity.states import Capacity
from tests.api.routes import Everything, everything_of
from tests.api.trade import Market, Party, fresh_key, in_a_context_of_its_own

HELD = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]
EXAMPLES = {GenerationMode.POSITIVE: 12, GenerationMode.NEGATIVE: 6}
# They end what later requests need; their own tests try them.
SPARED = {
    "/v1/organizations/{organization_id}/suspend",
    "/v1/clients/{client_id}/suspend",
    "/v1/clients/{client_id}/rotate-secret",
}
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@pytest.fixture(scope="session")
def cases(shared_app: Flask) -> list[Any]:
    """Requests as described and requests broken on purpose, the same in every run."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", shared_app)
    operations = [found.ok() for found in schema.get_all_operations()]
    return [
        case
        for operation in operations
        if operation.path not in SPARED
        for mode, count in EXAMPLES.items()
        if mode is GenerationMode.POSITIVE or _takes_fields(operation)
        for case in _generated(operation.as_strategy(generation_mode=mode), count)
    ]


@pytest.mark.parametrize("role", ["nobody", "provider", "buyer", "operator", "auditor"])
def test_no_request_finds_a_fault(market: Market, cases: list[Any], role: str) -> None:
    everything, who = everything_of(market), getattr(market, role)
    answered: Counter[int] = Counter()
    for number, case in enumerate(cases):
        if _may_call(role, case):
            answered[_try(who, everything, case, really_there=bool(number % 2))] += 1
    assert sum(count for status, count in answered.items() if status < 300) > 10, answered
    assert role == "nobody" or answered[422] > 10, answered


def _takes_fields(operation: Any) -> bool:
    """Whether there is anything to break but the address, for which there are tests of its own."""
    return bool(operation.query) or any(body.media_type == "application/json" for body in operation.body)


def _generated(strategy: Any, count: int) -> list[Any]:
    found: list[Any] = []

    @seed(1)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Any) -> None:
        found.append(case)

    # What takes any text cannot be broken on purpose.
    with suppress(Unsatisfiable):
        collect()
    return found


def _may_call(role: str, case: Any) -> bool:
    rule = PERMISSIONS[Permission(case.operation.definition.raw["x-permission"])]
    if rule.scope is None:
        return role == "nobody"
    return role != "nobody" and (not rule.capacities or Capacity(role) in rule.capacities)


def _try(who: Party, everything: Everything, case: Any, *, really_there: bool) -> int:
    if really_there:
        case.path_parameters = {
            name: everything.ids.get(name, made) for name, made in (case.path_parameters or {}).items()
        }
    headers = {"Idempotency-Key": fresh_key()} | ({"Authorization": f"Bearer {who.token}"} if who.token else {})
    response = in_a_context_of_its_own(lambda: case.call(headers=headers))
    case.validate_response(response, checks=HELD)
    return int(response.status_code)


def test_every_described_address_is_tried_by_somebody(shared_app: Flask, cases: list[Any]) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", shared_app)
    described = {(found.ok().method, found.ok().path) for found in schema.get_all_operations()}
    roles = ("nobody", "provider", "buyer", "operator", "auditor")
    tried = {
        (case.operation.method, case.operation.path) for case in cases if any(_may_call(one, case) for one in roles)
    }
    assert {path for _method, path in described - tried} == SPARED
    assert tried <= described
    assert len(tried) > 300
