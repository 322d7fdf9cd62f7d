"""Callers of the authorization server."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from marketplace.identity import service
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApplicationDraftFactory

Ask = Callable[..., TestResponse]


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def found(*capacities: Capacity) -> Admission:
    """A verified organization with its first client, kept."""
    with transaction():
        return service.found_organization(ApplicationDraftFactory(capacities=frozenset(capacities)))


@pytest.fixture
def wire(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def buyer(app: Flask) -> Admission:
    return found(Capacity.BUYER)


@pytest.fixture
def provider(app: Flask) -> Admission:
    return found(Capacity.PROVIDER)


@pytest.fixture
def ask(wire: FlaskClient) -> Ask:
    """Post to an OAuth endpoint as the client of an admission."""

    def post(who: Admission, path: str = "/oauth/token", **form: Any) -> TestResponse:
        data = form if path != "/oauth/token" else {"grant_type": "client_credentials"} | form
        return wire.post(path, data=data, headers=basic(who.client.id, who.secret))

    return post


@pytest.fixture
def token_of(ask: Ask) -> Callable[..., str]:
    """A fresh access token."""

    def token(who: Admission, **form: Any) -> str:
        answer = ask(who, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    return token
