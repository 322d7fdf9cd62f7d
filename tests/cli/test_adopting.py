"""Taking over the record of a former operator at the command line."""

import pytest

from marketplace.audit.adopted import queries
from tests.audit.test_record import tamper
from tests.factories import archives


@pytest.fixture
def log():
    return archives.former(4)


def test_a_record_is_adopted_once_and_named(run, log, tmp_path):
    path = archives.packed(log.files(), tmp_path / "record.tar")
    said = run("audit", "adopt", path, "--key", log.key.text)
    [record] = queries.list_records().items
    told = f"{record.id}: 4 entries of {log.origin}, root {archives.root_of(log.entries).hex()}\n"
    assert said == f"adopted {told}"
    assert run("audit", "adopt", path, "--key", log.key.text) == f"was adopted before {told}"


def test_a_yen_that_was_changed_is_named_in_the_words_of_the_verifier(run, log, tmp_path):
    files = log.files()
    files["entries.ndjson"][2] = log.entries[2].replace('"v":1', '"amount_minor":1,"v":1')
    said = run("audit", "adopt", archives.packed(files, tmp_path / "a.tar"), "--key", log.key.text, code=1)
    assert "WRONG entries.ndjson line 3: it is not the entry that stands at this place of the tree" in said
    assert "4 entries are signed for: the record is NOT sound" in said
    assert queries.list_records().items == []


def test_without_a_key_nothing_is_believed(run, log, tmp_path):
    path = archives.packed(log.files(), tmp_path / "a.tar")
    assert "--key" in run("audit", "adopt", path, code=2)
    assert "a key reads NAME+ID+KEY" in run("audit", "adopt", path, "--key", "mine", code=2)
    assert "no known key has signed it" in run("audit", "adopt", path, "--key", archives.former(1).key.text, code=1)
    assert "does not exist" in run("audit", "adopt", tmp_path / "none", "--key", log.key.text, code=2)
    assert queries.list_records().items == []


def test_verifying_the_record_names_what_became_of_an_adopted_one(run, log, tmp_path):
    run("audit", "adopt", archives.packed(log.files(), tmp_path / "a.tar"), "--key", log.key.text)
    assert run("audit", "verify").endswith("the record is sound\n")
    tamper("UPDATE adopted_record SET note = :note", note=log.note(2))
    said = run("audit", "verify", code=1)
    [record] = queries.list_records().items
    assert f": the checkpoint of the adopted record {record.id} was altered\n" in said
    assert said.endswith("the record is not sound: 1 findings\n")
