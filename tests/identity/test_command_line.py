"""The client of the command line: one at each exchange, also at those founded before there was any."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import select

from marketplace import background
from marketplace.identity import queries, service
from marketplace.identity.actors import Actor
from marketplace.identity.models import ApiClient
from marketplace.identity.states import Capacity
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApiClientFactory, OrganizationFactory
from tests.identity.conftest import found


def command_lines() -> list[str]:
    """The states of all clients of the command line."""
    return list(db.session.scalars(select(ApiClient.state).where(ApiClient.name == "Musubi CLI")))


def test_an_exchange_of_before_gets_the_client_of_the_command_line_when_it_starts(app: Flask) -> None:
    background.look_after(app)
    assert command_lines() == []  # nobody runs the exchange yet
    operator = OrganizationFactory(operator=True)
    ApiClientFactory(
        organization=OrganizationFactory(), name="Musubi CLI", authentication_method="none", secret_sha256=None
    )
    db.session.commit()
    for _ in range(2):
        background.look_after(app)
        made = queries.find_command_line_client()
        assert made is not None
        assert made.organization_id == operator.id
    assert command_lines() == ["active", "active"]


def test_a_command_line_that_the_operator_ended_stays_ended(app: Flask) -> None:
    first = found(Capacity.OPERATOR)
    made = queries.find_command_line_client()
    assert made is not None
    with transaction():
        service.suspend_client(Actor(first.organization.id), made.id)
    background.look_after(app)
    assert command_lines() == ["suspended"]


def test_of_four_servers_that_start_at_once_one_makes_the_client_of_the_command_line(own_database: Flask) -> None:
    with transaction():
        OrganizationFactory(operator=True)

    def start(_n: int) -> None:
        with own_database.app_context(), transaction():
            service.ensure_command_line()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    assert command_lines() == ["active"]
