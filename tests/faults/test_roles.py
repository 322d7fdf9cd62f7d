"""Roles of the database: who serves trades as ever and can take nothing back; who audits reads, and only the record."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url

from marketplace.demo import buying
from marketplace.exchange.archiving import TABLES
from marketplace.kit import postgres
from tests.faults.started import live_world
from tests.live import ROOT, Quiet, buy, command, exchange, offer, publish

KEPT = ("audit_entry", "audit_leaf", "audit_node", "audit_checkpoint", "ledger_txn", "ledger_entry", "usage_event")
TITLES = {
    "title_ja": "人流", "title_en": "Flow of people", "description_ja": "地点別", "description_en": "By place",
}  # fmt: skip


class Logins:
    """A database with its roles, and a login for each."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.names = [f"{kind}_{make_url(owner).database}" for kind in ("serving", "auditing")]

    @property
    def serving(self) -> str:
        return self._as(self.names[0])

    @property
    def auditing(self) -> str:
        return self._as(self.names[1])

    def _as(self, login: str) -> str:
        return make_url(self.owner).set(username=login).render_as_string(hide_password=False)

    def run(self, statement: str) -> None:
        """Run something as the owner, who is a superuser here."""
        with psycopg.connect(postgres.libpq_url(self.owner), autocommit=True) as connection:
            connection.execute(statement)


def verify_archive(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, ROOT / "verify_audit.py", path], capture_output=True, text=True, check=False)


@contextmanager
def established(owner: str, folder: Path) -> Iterator[Logins]:
    """Have the command make the roles, and a login that is a member of each; they go with the database's use."""
    made = Logins(owner)
    done = command("migrate", "--roles", database_url=owner, marketplace_data_dir=folder / "data")
    assert done.returncode == 0, done.stderr
    database = make_url(made.owner).database
    for login, kind in zip(made.names, ("serve", "audit"), strict=True):
        assert f"{database}_{kind}" in done.stdout
        made.run(f'CREATE ROLE "{login}" LOGIN IN ROLE "{database}_{kind}"')
    try:
        yield made
    finally:
        for role in (*made.names, f"{database}_serve", f"{database}_audit"):
            made.run(f'DROP OWNED BY "{role}"')
            made.run(f'DROP ROLE "{role}"')


@pytest.fixture
def logins(clone: Callable[[], str], let_go: Callable[[str], None], tmp_path: Path) -> Iterator[Logins]:
    """A database with its roles, for a test that changes it."""
    with established(clone(), tmp_path) as made:
        yield made
    let_go(made.owner)


@pytest.fixture(scope="module")
def standing(clone: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logins]:
    """One that tests leave as they found it."""
    with established(clone(), tmp_path_factory.mktemp("roles")) as made:
        yield made


def refused(url: str, statement: str) -> bool:
    """Whether a login may not do that."""
    with psycopg.connect(postgres.libpq_url(url), autocommit=True) as connection:
        try:
            connection.execute(statement)
        except InsufficientPrivilege:
            return True
    return False


def columns(url: str, table: str) -> list[str]:
    with psycopg.connect(postgres.libpq_url(url)) as connection:
        return [column.name for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description or []]


def test_whoever_serves_trades_delivers_settles_and_keeps_the_record(logins: Logins, tmp_path: Path) -> None:
    file = tmp_path / "人流.csv"
    file.write_text("日付,地点,人数\n2026-11-22,大通,12345\n" * 500, encoding="cp932")
    with exchange(tmp_path, postgres.libpq_url(logins.serving)) as served:
        parties = served.assemble()
        release = publish(parties["provider"], [file], TITLES)
        offered = offer(parties["provider"], release["dataset_id"], "per_mib", 50)
        order = buy(parties["buyer"], offered)
        fetched = buying.fetch(parties["buyer"], Quiet(), order["grant_id"], file.name, file.stat().st_size)
        assert fetched.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (
            parties["operator"].post(f"/v1/grants/{order['grant_id']}/revoke", {"reason": "試験"})["state"] == "revoked"
        )
        for done in (served.command("settle"), served.command("audit", "verify"), served.command("ledger", "check")):
            assert done.returncode == 0, done.stderr
        assert "permission denied" not in served.log


def test_months_of_usage_are_made_and_put_aside_on_behalf_of_whoever_serves(standing: Logins, tmp_path: Path) -> None:
    with psycopg.connect(postgres.libpq_url(standing.serving)) as connection:
        connection.execute("CREATE TEMP TABLE usage_event (id text)")  # names of the caller's own mislead nobody
        assert connection.execute("SELECT open_usage_month('2031-05-01')").fetchone() == (True,)
        connection.execute("SELECT put_usage_month_aside('2031-05-01')")
        assert connection.execute(
            "SELECT relispartition FROM pg_class WHERE relname = 'usage_event_2031_05'"
        ).fetchone() == (False,)
    assert refused(standing.auditing, "SELECT open_usage_month('2031-06-01')")


@pytest.mark.parametrize("table", KEPT)
def test_whoever_serves_can_take_back_nothing_that_is_kept_even_without_triggers(standing: Logins, table: str) -> None:
    standing.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    some = columns(standing.serving, table)[-1]
    for statement in (
        f"UPDATE {table} SET {some} = {some}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"ALTER TABLE {table} ENABLE TRIGGER USER",
        f"DROP TABLE {table}",
    ):
        assert refused(standing.serving, statement), statement
    assert not refused(standing.owner, f"UPDATE {table} SET {some} = {some}")  # it is the role that is held back
    standing.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_whoever_audits_reads_the_record_and_nothing_else(logins: Logins, tmp_path: Path) -> None:
    with live_world(tmp_path / "served", logins.serving) as live:
        live.grant()
        live.assert_sound()
        live.exchange.command("audit", "export", "--out", str(tmp_path / "ours.tar"))
        own = {"database_url": logins.auditing, "marketplace_data_dir": tmp_path / "auditor"}
        verified = command("audit", "verify", **own)
        assert verified.returncode == 0, verified.stderr
        exported = command("audit", "export", "--out", str(tmp_path / "record.tar"), **own)
        assert exported.returncode == 0, exported.stderr
    assert verify_archive(tmp_path / "record.tar").returncode == 0
    with psycopg.connect(postgres.libpq_url(logins.owner)) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = {name for (name,) in rows}
    others = tables - set(TABLES) - {"alembic_version"}
    assert {"member", "api_client", "store_object"} & others
    assert all(refused(logins.auditing, f'SELECT FROM "{table}"') for table in others)
    assert all(refused(logins.auditing, f"INSERT INTO {table} DEFAULT VALUES") for table in TABLES)


def test_what_a_new_version_brings_is_served_and_audited_after_migrating(logins: Logins, tmp_path: Path) -> None:
    logins.run("CREATE TABLE brought_by_an_upgrade (id int)")
    logins.run(f'REVOKE ALL ON audit_log_key FROM "{make_url(logins.owner).database}_audit"')  # as if it were new
    assert refused(logins.serving, "SELECT FROM brought_by_an_upgrade")
    assert refused(logins.auditing, "SELECT FROM audit_log_key")
    done = command("migrate", database_url=logins.owner, marketplace_data_dir=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert not refused(logins.serving, "INSERT INTO brought_by_an_upgrade VALUES (1)")
    assert not refused(logins.auditing, "SELECT FROM audit_log_key")
    assert refused(logins.serving, "DELETE FROM audit_entry")
    assert refused(logins.auditing, "SELECT FROM brought_by_an_upgrade")


def test_a_schema_that_is_behind_is_told_to_whoever_may_not_bring_it_up(logins: Logins, tmp_path: Path) -> None:
    down = command("migrate", "--down-to", "0049", database_url=logins.owner, marketplace_data_dir=tmp_path / "data")
    assert down.returncode == 0, down.stderr
    told = command("serve", database_url=logins.serving, marketplace_data_dir=tmp_path / "data")
    assert told.returncode == 1
    assert "run `marketplace migrate` with the login that owns the database" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_login_that_may_not_make_roles_is_told_what_to_ask_for(standing: Logins, tmp_path: Path) -> None:
    told = command("migrate", "--roles", database_url=standing.serving, marketplace_data_dir=tmp_path / "data")
    assert told.returncode == 1
    assert "as their owner" in told.stderr


def test_an_owner_that_may_not_make_roles_is_told_what_to_ask_for(
    clone: Callable[[], str], let_go: Callable[[str], None], tmp_path: Path
) -> None:
    made = Logins(clone())
    owner, login = make_url(made.owner).username, f"owning_{make_url(made.owner).database}"
    made.run(f'CREATE ROLE "{login}" LOGIN IN ROLE "{owner}"')
    own = make_url(made.owner).set(username=login).render_as_string(hide_password=False)
    told = command("migrate", "--roles", database_url=own, marketplace_data_dir=tmp_path / "data")
    made.run(f'DROP ROLE "{login}"')
    let_go(made.owner)
    assert told.returncode == 1
    assert "have a superuser run CREATE ROLE" in told.stderr
