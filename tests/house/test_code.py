"""Sizes, the one place that commits, money without floats, and the direction of imports."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib

import pytest

from tests.house.project import DOMAINS, PACKAGE, ROOT, functions, modules, tree

SEARCH = PACKAGE / "catalog" / "search.py"
MONEY = ("billing", "metering", "licensing")
# The most lines of a function, and of a module.
LIMITS = {
    "marketplace": (50, 400),
    "benchmarks": (50, 400),
    "migrations": (60, 400),  # one creates a table at a time, and is never touched again
    "tests": (70, 500),  # some hold a table of cases
}


def p95(sizes):
    return statistics.quantiles(sizes, n=20)[-1]


def python(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def lengths(folder):
    return {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python(folder)}


@pytest.mark.parametrize(("folder", "lines_max"), [(folder, most) for folder, (most, _) in LIMITS.items()])
def test_no_function_is_longer_than_a_screen(folder, lines_max):
    found = list(functions(python(folder)))
    assert [(where, lines) for where, lines in found if lines > lines_max] == []
    assert folder == "migrations" or p95([lines for _where, lines in found]) <= 30


@pytest.mark.parametrize(("folder", "lines_max"), [(folder, most) for folder, (_, most) in LIMITS.items()])
def test_no_module_is_longer_than_a_sitting(folder, lines_max):
    assert {name: lines for name, lines in lengths(folder).items() if lines > lines_max} == {}
    assert folder != "marketplace" or p95(list(lengths(folder).values())) <= 300


def calls(path, attribute):
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute
    ]


def test_one_place_commits():
    places = [call for path in modules() for call in calls(path, "commit")]
    committing = [call for call in places if not call.startswith("marketplace/catalog/search.py")]
    assert len(committing) == 1
    assert committing[0].startswith("marketplace/kit/transaction.py")
    # The search index is no database: its writer has a commit of its own, and the index can be rebuilt.
    assert {call.split()[1] for call in calls(SEARCH, "commit")} == {"writer.commit"}


def test_no_text_commits_behind_the_back_of_the_session():
    texts = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"\s*(BEGIN|COMMIT|ROLLBACK)\b[^.]*", node.value)
    ]
    assert texts == []


def floats(path):
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    ]


def test_money_and_measures_know_no_floats():
    # The gateway waits for seconds, paper is measured in points; the next tests keep money out of their floats. A
    # predicate on rows is compared with numbers of the data, whatever they are.
    measured = ("gateways/", "documents/pdf/", "licensing/reading_policies.py", "licensing/data_policy.py")
    uses = [use for package in MONEY for path in modules(package) for use in floats(path)]
    found = [use for use in uses if not any(place in use for place in measured)]
    reasons = {
        "licensing/reading.py": "accepts 5000.0 as the integer it is, and refuses 2.5",
        "billing/pricing.py": "divides Decimals by bytes, exactly",
    }
    assert [use for use in found if use.split(":")[0] not in reasons] == []
    assert sorted(use.split(" ", 1)[1] for use in found) == [
        "Decimal(count) / MEBIBYTE_BYTES",
        "float",
    ]


def test_the_gateway_reads_and_writes_amounts_without_floats():
    touching = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules("billing", "gateways")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]
    assert touching == []


def test_amounts_on_paper_are_texts_of_whole_numbers():
    drawing = PACKAGE / "billing" / "documents" / "pdf"
    assert not any("yen" in use for path in drawing.glob("*.py") for use in floats(path))


def test_only_commands_print():
    edges = {PACKAGE / "cli", PACKAGE / "demo"}
    printing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        if not edges & set(path.parents)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_imports_run_down_the_stairs():
    checked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


def test_the_contract_of_the_sandbox_names_every_package_but_kit():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [one for one in contracts if one.get("source_modules") == ["marketplace.sandbox"]]
    members = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    assert set(contract["forbidden_modules"]) == {
        f"marketplace.{name}" for name in members - {"__init__", "kit", "sandbox"}
    }


def test_importing_the_package_imports_nothing_else():
    # `import marketplace` must stay free: tools read the version, and profiling children must start fast.
    asked = "import sys, marketplace; print([n for n in sys.modules if n.startswith('marketplace.') or n == 'flask'])"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_each_domain_says_what_it_owns_what_it_refuses_to_know_and_what_holds():
    for domain in DOMAINS:
        text = (PACKAGE / domain / "README.md").read_text(encoding="utf-8").lower()
        for heading in ("owns", "refuses to know", "invariants"):
            assert re.search(rf"^(#+ .*{heading}|\*\*{heading}\*\*)", text, re.MULTILINE), (domain, heading)


def test_every_package_has_a_page():
    packages = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    assert [path.name for path in packages if not (path / "README.md").is_file()] == []
