"""`docs/asvs.csv` is whole and honest, and `docs/threat-model.md` names tests and limits that are there.

The counts are those of OWASP ASVS 5.0.0 itself (345 requirements: 70 of level 1, 183 of level 2, 92 of level 3),
from the table that it publishes.
"""

import ast
import csv
import re
from collections import Counter
from functools import cache

import pytest

from tests.house.project import ROOT, document, rows, tree

TABLE, MODEL = "docs/asvs.csv", "docs/threat-model.md"
COLUMNS = ["id", "level", "subject", "state", "evidence"]
STATES = {"tested", "by design", "not applicable", "open"}
TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)+")
# By chapter and section, the level of each requirement in turn: V1.2.10 is the tenth figure of the second word.
SOURCE = {
    1: "22 1111122223 112222222223 222 123",
    2: "122 112 12223 23",
    3: "3 113 12223 11222233 11122333 3 22333",
    4: "12233 23333 22 1222",
    5: "2 112333 113 222",
    6: "122 111111112222 11223333 112233 22222333 2223 33 2222",
    7: "222 1111 22 11222 223 22",
    8: "1233 1123 133 23",
    9: "111 1222",
    10: "22 223 22223 1111122222233333 22222 22 222",
    11: "2233 22233 11233 1222 23 23 33",
    12: "12233 11 22223",
    13: "2333 222223 2233 1222233",
    14: "22 12223333 122",
    15: "12233 12233 1222222 3333",
    16: "2 22222 2222 222 2223",
    17: "23 22223333 22",
}
# Level 3 whole: business logic, rights that change at once, tokens, OAuth, concurrency, logging. V9 has none.
DEEPER = {
    *("V2.3.5", "V2.4.2", "V8.3.2", "V8.3.3"),
    *("V10.2.3", "V10.3.5", "V10.4.12", "V10.4.13", "V10.4.14", "V10.4.15", "V10.4.16"),
    *("V15.4.1", "V15.4.2", "V15.4.3", "V15.4.4", "V16.5.4"),
}
ASSETS = ["Token", "Grant", "Money", "Audit log", "Payload", "Personal data"]


@cache
def table() -> list[dict[str, str]]:
    with (ROOT / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(requirement: str) -> tuple[int, ...]:
    return tuple(map(int, requirement.removeprefix("V").split(".")))


@cache
def names_in(file: str) -> frozenset[str]:
    """Every test of a file, as its node id goes on behind the name of the file; those of classes with theirs."""
    found = set()
    for node in tree(ROOT / file).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def lost(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    named = [found.partition("::") for found in TEST.findall(text)]
    return [file + "::" + name for file, _, name in named if not (ROOT / file).is_file() or name not in names_in(file)]


def test_the_table_has_its_columns_and_each_requirement_once_in_order():
    with (ROOT / TABLE).open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == COLUMNS
    numbers = [number(row["id"]) for row in table()]
    assert numbers == sorted(set(numbers))
    assert all(re.fullmatch(r"V\d+\.\d+\.\d+", row["id"]) for row in table())


def published() -> dict[str, str]:
    """Every requirement of the standard, with its level."""
    return {
        f"V{chapter}.{section}.{place}": level
        for chapter, levels in SOURCE.items()
        for section, word in enumerate(levels.split(), 1)
        for place, level in enumerate(word, 1)
    }


def test_the_standard_is_counted_as_it_counts_itself():
    assert Counter(published().values()) == {"1": 70, "2": 183, "3": 92}


@pytest.mark.parametrize("chapter", SOURCE)
def test_every_requirement_of_levels_1_and_2_is_there_and_of_level_3_what_was_chosen(chapter: int):
    wanted = {name: level for name, level in published().items() if level != "3" or name in DEEPER}
    there = {row["id"]: row["level"] for row in table()}
    assert {name: level for name, level in there.items() if number(name)[0] == chapter} == {
        name: level for name, level in wanted.items() if number(name)[0] == chapter
    }


def test_level_3_is_whole_where_it_was_chosen():
    whole = ("V2.", "V8.3.", "V9.", "V10.", "V15.4.", "V16.")
    assert {name for name, level in published().items() if level == "3" and name.startswith(whole)} == DEEPER
    assert {number(row["id"])[0] for row in table()} == set(SOURCE)


def test_each_row_says_what_is_so_and_why():
    for row in table():
        assert row["state"] in STATES, row["id"]
        assert 0 < len(row["subject"]) <= 60, row["id"]
        if row["state"] == "tested":
            assert TEST.sub("", row["evidence"]).strip() == "", row["id"]
            assert row["evidence"], row["id"]
        else:
            assert len(row["evidence"]) > 20, row["id"]
            assert row["evidence"].endswith("."), row["id"]


def test_each_test_that_is_named_exists():
    assert [(row["id"], name) for row in table() for name in lost(row["evidence"])] == []


def test_files_that_reasons_name_exist():
    for row in table():
        for name in re.findall(r"\b(docs/[\w./-]+?\.(?:md|csv))\b", row["evidence"]):
            assert (ROOT / name).is_file(), (row["id"], name)


def test_what_is_open_says_what_is_missing_and_stands_among_the_limits():
    limits = document(MODEL)
    for row in table():
        if row["state"] == "open":
            assert "Missing:" in row["evidence"], row["id"]
            assert re.search(rf"\b{re.escape(row['id'])}\b", limits), f"{row['id']} is not among the known limits"
        else:
            assert "Missing:" not in row["evidence"], row["id"]


def test_the_search_for_tests_finds_what_is_not_there():
    assert lost("tests/house/test_asvs.py::test_each_test_that_is_named_exists") == []
    for gone in ("tests/house/test_asvs.py::test_nothing", "tests/house/test_gone.py::test_nothing"):
        assert lost(f"see {gone}.") == [gone]


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", document(MODEL), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_asset_has_its_page():
    assert [name for name in sections() if name in ASSETS] == ASSETS
    for asset in ASSETS:
        assert "### Not defended" in sections()[asset], asset
        assert len(TEST.findall(sections()[asset])) >= 5, asset


def test_each_attack_names_who_how_and_the_test_that_holds_it():
    attacks = [row for row in rows(MODEL) if len(row) == 4]
    assert len(attacks) >= 60
    for attacker, attack, defence, tests in attacks:
        assert attacker, attack
        assert len(attack) > 10, attack
        assert len(defence) > 10, attack
        assert TEST.findall(tests), attack
        assert lost(tests) == [], attack


def test_modules_that_the_threat_model_names_exist():
    for name in set(re.findall(r"`([a-z_]+/[\w/]+\.py)`", document(MODEL))):
        assert (ROOT / "marketplace" / name).is_file() or (ROOT / name).is_file(), name
