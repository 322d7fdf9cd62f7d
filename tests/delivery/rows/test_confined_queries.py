"""What a statement could do in the querying process, if one ever got there: nothing outside, and nothing for long."""

import hashlib
import json
import signal
import tempfile
from pathlib import Path

import pytest

from marketplace.catalog.profiling import process
from tests.delivery.rows.attacks import BLOCKED, HARMLESS, MEMORY_BOMBS, TIME_BOMBS

RAW = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
told = open(os.dup(1), "w")
os.dup2(2, 1)
asked = json.loads(open(int(sys.argv[2]), encoding="utf-8").read())
from marketplace.catalog.profiling import confinement
confinement.confine(asked["memory_bytes"], asked["cpu_seconds"])
import pyarrow as pa
from marketplace.delivery.rows import engine
opened = engine.connection(asked["memory_bytes"], {"source": pa.table({"c0": ["札幌"], "r": [0]})})
print(json.dumps("begun"), file=told, flush=True)
for statement in asked["statements"]:
    try:
        said = str(opened.execute(statement).fetchall())[:2000]
    except BaseException as error:
        said = "refused: " + type(error).__name__
    print(json.dumps(said), file=told, flush=True)
"""


def run(*statements: str, cpu_seconds: int = 60) -> tuple[list[str], int]:
    """Run statements as they are, confined and connected as queries are; return what each said, and the exit code."""
    asked = {"statements": statements, "memory_bytes": 1536 << 20, "cpu_seconds": cpu_seconds}
    with tempfile.TemporaryFile() as file:
        ended = process.run(RAW, json.dumps(asked), file.fileno(), 240, 1 << 20)
    said = [json.loads(line) for line in ended.answer.splitlines()]
    assert said[:1] == ["begun"]
    return said[1:], ended.code


@pytest.fixture
def sold(tmp_path: Path) -> Path:
    path = tmp_path / "sold.parquet"
    path.write_bytes(b"PAR1 the sold bytes PAR1")
    return path


def test_statements_reach_no_file_no_network_no_extension_and_no_setting(sold: Path):
    before = hashlib.sha256(sold.read_bytes()).digest()
    statements = [one.format(file=sold, folder=sold.parent) for one in BLOCKED]
    said, code = run(*statements)
    done = dict(zip(statements, said, strict=True))
    assert {one: what for one, what in done.items() if not what.startswith("refused: ")} == {}
    assert code == 0
    assert hashlib.sha256(sold.read_bytes()).digest() == before
    assert list(sold.parent.iterdir()) == [sold]


def test_the_statements_would_reach_what_is_not_closed(sold: Path):
    """The attacks are real ones: without confinement the first of them reads, and the copy writes."""
    import duckdb

    opened = duckdb.connect(":memory:")
    assert opened.execute("SELECT content FROM read_text('/etc/passwd')").fetchall()
    opened.execute(f"COPY (SELECT 1) TO '{sold}' (FORMAT csv, USE_TMP_FILE false)")
    assert b"the sold bytes" not in sold.read_bytes()


def test_what_duckdb_does_in_its_own_memory_names_no_path_of_the_machine(sold: Path):
    said, code = run(*HARMLESS)
    assert code == 0
    assert not any(str(Path.home()) in one or str(sold.parent) in one for one in said)
    assert list(sold.parent.iterdir()) == [sold]


@pytest.mark.parametrize("bomb", TIME_BOMBS, ids=["range", "cross join", "recursion"])
def test_endless_statements_are_ended_by_the_kernel(bomb: str):
    said, code = run(bomb, cpu_seconds=4)
    assert (said, code) == ([], -signal.SIGXCPU)


def test_statements_that_ask_for_too_much_memory_get_none_of_it():
    said, code = run(*MEMORY_BOMBS)
    assert code == 0
    assert {one: what for one, what in zip(MEMORY_BOMBS, said, strict=True) if "OutOfMemory" not in what} == {}


def test_after_a_refused_bomb_nothing_has_changed():
    said, _code = run(MEMORY_BOMBS[0], "SELECT c0 FROM source", "SELECT current_setting('enable_external_access')")
    assert said[1:] == ["[('札幌',)]", "[(False,)]"]
