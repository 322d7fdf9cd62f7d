"""The pool notices by itself that the server has closed its connections."""

import psycopg
from sqlalchemy import text

from marketplace.kit import postgres
from marketplace.kit.db import db

PID = text("SELECT pg_backend_pid()")
END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_connections_that_the_server_closed_are_replaced_before_they_are_used(own_database):
    with db.engine.connect() as one, db.engine.connect() as other:
        dead = {one.scalar(PID), other.scalar(PID)}
    with psycopg.connect(postgres.libpq_url(own_database.config["SQLALCHEMY_DATABASE_URI"])) as killer:
        killer.execute(END_OTHERS)
    with db.engine.connect() as one, db.engine.connect() as other:
        assert not dead & {one.scalar(PID), other.scalar(PID)}


def test_a_living_connection_is_kept(own_database):
    with db.engine.connect() as first:
        pid = first.scalar(PID)
    with db.engine.connect() as again:
        assert again.scalar(PID) == pid
