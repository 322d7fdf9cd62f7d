"""A server that does not bring the schema up itself says what is missing, and serves as soon as it is there."""

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.api import boundary
from marketplace.kit import migrations
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

DEEDS = ("/v1/catalog", "/", "/catalog", "/oauth/jwks.json")


@pytest.fixture
def foreign(own_database: Flask) -> Flask:
    """The application as `wsgi.py` makes it."""
    boundary.await_schema(own_database)
    return own_database


@pytest.mark.parametrize(("revision", "found"), [("base", "none"), ("0020", "0020")], ids=["missing", "older"])
def test_every_deed_is_refused_until_the_schema_is_brought_up(foreign: Flask, revision: str, found: str) -> None:
    migrations.downgrade(db.engine, revision)
    client = foreign.test_client()
    for path in DEEDS:
        refused = client.get(path)
        assert (refused.status_code, refused.content_type) == (503, "application/problem+json"), path
        assert f"The schema is at {found}, but this code needs" in refused.json["detail"]
        assert "run `marketplace migrate`" in refused.json["detail"]
        assert int(refused.headers["Retry-After"]) > 0
    assert client.post("/v1/organizations", json={}).status_code == 503
    assert (client.get("/v1/health").status_code, client.get("/v1/ready").status_code) == (200, 503)
    for page in ("/problems/unavailable", "/openapi.json", "/docs"):
        assert client.get(page).status_code == 200
    assert migrations.is_behind(db.engine)

    migrations.upgrade(db.engine)
    assert [client.get(path).status_code for path in DEEDS] == [200] * len(DEEDS)


def test_a_schema_of_newer_code_is_served_on_until_the_server_ends(foreign: Flask) -> None:
    with transaction():
        db.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert foreign.test_client().get("/v1/catalog").status_code == 200
