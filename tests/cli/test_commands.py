"""The `marketplace` commands on a database of their own: what they do, and what they say when they cannot."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from marketplace import app as composition_root
from marketplace import cli
from marketplace.audit import blocks, sequencer
from marketplace.billing.balance import service as balance
from marketplace.billing.gateways.reports import BalanceTransaction
from marketplace.kit import clock, health, migrations
from marketplace.kit.db import db
from marketplace.kit.settings import BadSetting
from marketplace.kit.transaction import transaction

FOUNDING = [
    "found", "--name-ja", "札幌市（試験）", "--name-en", "City of Sapporo (test)", "--kind", "public_body",
    "--capacity", "operator", "--corporate-number", "9000020011002", "--government-code", "011002",
]  # fmt: skip


def test_founding_prints_a_client_that_exists_and_its_secret_once(run, own_database):
    told = dict(line.split(" ", 1) for line in run(*FOUNDING).splitlines())
    assert set(told) == {"organization", "client_id", "client_secret"}
    found = db.session.execute(
        text("SELECT name_ja, state FROM organization WHERE id = :id"), {"id": told["organization"]}
    )
    assert found.one() == ("札幌市(試験)", "verified")
    kept = db.session.execute(text("SELECT * FROM api_client ORDER BY id")).mappings().all()
    assert [one["name"] for one in kept] == ["first client", "Musubi CLI"]
    assert kept[0]["id"] == told["client_id"]
    assert told["client_secret"] not in json.dumps(list(map(dict, kept)), default=str)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--kind", "kingdom"], "kingdom"),
        (["--capacity", "king"], "king"),
        (["--corporate-number", "1234567890123"], "corporate"),
        (["--government-code", "011003"], "government"),
    ],
)
def test_founding_refuses_in_words_and_keeps_nothing(run, own_database, change, sentence):
    said = run(*FOUNDING, *change, code=2 if change[0] in {"--kind", "--capacity"} else 1)
    assert sentence in said.lower()
    assert "Traceback" not in said
    assert db.session.execute(text("SELECT count(*) FROM organization")).scalar() == 0


def test_the_schema_goes_up_and_down_and_up(run, own_database):
    newest = migrations.head()
    assert f"the schema is at {newest}" in run("migrate")
    assert "the schema is at 0002" in run("migrate", "--down-to", "0002")
    db.session.rollback()
    assert f"the schema is at {newest}" in run("migrate")
    assert health.revision() == newest


def test_a_revision_that_does_not_exist_is_said_in_a_sentence(run):
    assert "there is no revision nonsense" in run("migrate", "--down-to", "nonsense", code=2)


def test_settling_nothing_says_so_and_refuses_what_is_no_instant(run):
    told = run("settle")
    for line in (
        "0 invoices of usage",
        "0 renewals ordered",
        "0 subscriptions past due",
        "0 sales released",
        "settled until",
    ):
        assert line in told
    assert "settled until 2026-01-01T00:00:00" in run("settle", "--until", "2026-01-01T00:00:00Z")
    assert "settled until 2026-01-01T15:00:00" in run("settle", "--until", "2026-01-01")
    assert "--until" in run("settle", "--until", "yesterday", code=2)


def test_the_index_is_made_anew(run):
    assert run("search", "rebuild") == "0 datasets in the index\n"


def test_a_sound_record_is_called_sound_and_matches_what_was_noted(run):
    run(*FOUNDING)
    said = run("audit", "verify").splitlines()
    assert said[-1] == "the record is sound"
    size, root = said[-2].split(" entries, root ")
    run(*[word.replace("9000020011002", "8000020011003") for word in FOUNDING if word != "--government-code"][:-1])
    assert run("audit", "verify", "--size", size, "--root", root).endswith("the record is sound\n")
    assert "not sound" in run("audit", "verify", "--size", size, "--root", "0" * 64, code=1)
    assert "go together" in run("audit", "verify", "--size", size, code=2)


def test_a_record_that_was_tampered_with_names_the_entry(run, own_database):
    run(*FOUNDING)
    run("audit", "verify")
    entry_id = db.session.execute(text("SELECT id FROM audit_entry ORDER BY id LIMIT 1")).scalar()
    db.session.execute(text("SET session_replication_role = replica"))  # as an owner of the database could
    db.session.execute(text("UPDATE audit_entry SET subject = 'org_other' WHERE id = :id"), {"id": entry_id})
    db.session.execute(text("SET session_replication_role = origin"))
    db.session.commit()
    said = run("audit", "verify", code=1)
    assert f"WRONG leaf 0 entry {entry_id}" in said
    assert "the record is not sound" in said


def test_the_record_is_exported_in_three_forms_with_the_same_entries(run, tmp_path):
    run(*FOUNDING)
    run("audit", "verify")
    for form in ("ndjson", "csv", "parquet"):
        run("audit", "export", "--format", form, "--out", tmp_path / f"a.{form}")
    lines = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text("utf-8").splitlines()]
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "a.parquet")
    assert [line["id"] for line in lines] == [row["id"] for row in rows] == table.column("id").to_pylist() != []


def test_what_lies_where_on_the_record_is_noted_at_once(run, own_database):
    run(*FOUNDING)
    said = run("audit", "index")
    size = sequencer.tree_size()
    assert f"{size} entries are noted" in said
    assert blocks.known() == size > 0


def test_an_export_that_cannot_be_written_is_said_in_a_sentence(run, tmp_path):
    said = run("audit", "export", "--out", tmp_path / "missing" / "a.ndjson", code=1)
    assert "missing" in said
    assert "Traceback" not in said


def test_the_gateways_balance_is_reconciled_and_what_nothing_explains_is_listed(run, own_database):
    assert run("balance", "reconcile") == "waiting 0\nmatched 0\nsuspense 0\n"
    at = clock.now()
    unknown = BalanceTransaction("txn_1", "reserve_hold", -700, 0, -700, "JPY", at, at, "rh_1")
    with transaction():
        balance.keep(unknown)
    assert "suspense 1" in run("balance", "reconcile")
    assert run("balance", "list") == "suspense txn_1 reserve_hold rh_1 -700 JPY\n"


def test_every_command_explains_itself(run):
    group = cli.build(composition_root.composition())
    for name, command in group.commands.items():
        below = getattr(command, "commands", {})
        for words in [[name], *([name, one] for one in below)]:
            said = run(*words, "--help")
            assert said.startswith("Usage: ")
            assert len(said.splitlines()) > 3, words
    assert "Usage: " in run("--help")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("MARKETPLACE_PORT", "abc", "MARKETPLACE_PORT='abc' is not usable"),
        ("MARKETPLACE_BASE_URL", "http://example.jp", "must be https"),
        ("DATABASE_URL", "postgresql://127.0.0.1:1/musubi", "DATABASE_URL"),
        ("MARKETPLACE_DATA_DIR", "/proc/nowhere", "MARKETPLACE_DATA_DIR"),
        ("STRIPE_API_KEY", "sk_live_x", "PAYMENTS_LIVE"),
    ],
)
@pytest.mark.usefixtures("own_logging")
def test_a_bad_setting_ends_every_command_with_one_line_and_its_cure(monkeypatch, capsys, variable, value, sentence):
    monkeypatch.setenv(variable, value)
    # A database that does not answer is for the doctor to tell, together with all else.
    for command in (["serve"], ["worker"] if variable == "DATABASE_URL" else ["doctor"]):
        monkeypatch.setattr("sys.argv", ["marketplace", *command])
        with pytest.raises(SystemExit) as end:
            composition_root.main()
        assert str(end.value.code).startswith("marketplace: ")
        assert sentence in str(end.value.code)
        assert isinstance(end.value.__cause__ or end.value.__context__, BadSetting)
