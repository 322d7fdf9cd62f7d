"""Requests made at random from the description: no fault of ours, and answers as described."""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from marketplace.kit.db import db
from tests.api.routes import Everything, everything_of
from tests.api.trade import Market, Party, call, fresh_key, ok

HELD = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]
EXAMPLES = 12
# They end what later requests need; their own tests try them.
SPARED = {"/v1/organizations/{organization_id}/suspend", "/v1/clients/{client_id}/suspend", "/v1/clients/{client_id}/rotate-secret"}


@pytest.fixture
def schema(app: Flask) -> Any:
    return schemathesis.openapi.from_dict(ok(call(app, "GET", "/openapi.json")))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "broken on purpose"])
@pytest.mark.parametrize("role", ["nobody", "provider", "buyer", "operator", "auditor"])
def test_no_request_finds_a_fault(market: Market, schema: Any, role: str, mode: GenerationMode) -> None:
    everything, who = everything_of(market), getattr(market, role)
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        if operation.path in SPARED:
            continue
        for case in _cases(operation, mode):
            _try(who, everything, case)


def _cases(operation: Any, mode: GenerationMode) -> list[Any]:
    """Some cases of an operation, the same in every run."""
    found: list[Any] = []
    try:
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(1)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(st.data())
        def collect(data: st.DataObject) -> None:
            found.append(data.draw(strategy))

        collect()
    except Exception as error:
        if "negative" not in mode.value:
            raise
        assert "negative" in str(error).lower() or not found
    return found


def _try(who: Party, everything: Everything, case: Any) -> None:
    for number, name in enumerate(case.path_parameters or {}):
        # Every other case is about something that is really there.
        if number == 0 and hash(str(case.body)) % 2 and name in everything.ids:
            case.path_parameters[name] = everything.ids[name]
    headers = {"Idempotency-Key": fresh_key()} | ({"Authorization": f"Bearer {who.token}"} if who.token else {})
    response = case.call(app=who.app, headers=headers)
    case.validate_response(response, checks=HELD)
    db.session.rollback()
