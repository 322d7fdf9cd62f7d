"""The house is kept: commands, continuous integration, what is in the repository, what ships."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest

from tests.house.project import PACKAGE, ROOT, document, tracked

TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
TOP_LEVEL = {
    "marketplace", "migrations", "tests", "benchmarks", "docs", "wsgi.py", "pyproject.toml", "constraints.txt",
    "Makefile", "verify_audit.py", "README.md", "CONTRIBUTING.md", "LICENSE",
}  # fmt: skip


def targets():
    return TARGET.findall(document("Makefile"))


def test_the_makefile_has_at_most_ten_targets_and_each_says_what_it_does():
    assert len(targets()) <= 10
    for target in targets():
        assert re.search(rf"^{target}:.*## \w", document("Makefile"), re.MULTILINE), target
    told = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in told.splitlines()] == targets()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_every_command_that_is_promised_exists(page):
    promised = set(re.findall(r"(?:^|`|\$ )make ([a-z]+)", document(page), re.MULTILINE))
    assert promised
    assert promised <= set(targets())


def test_the_readme_promises_the_two_commands():
    assert {"make demo", "make test"} <= set(re.findall(r"make [a-z]+", document("README.md")))


def test_continuous_integration_checks_and_tests():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    lines = document(".ci/run").splitlines()
    assert "set -euo pipefail" in lines
    again = (
        'make test ARGS="--last-failed --last-failed-no-failures none"'  # nothing failed by name: that stays a failure
    )
    assert lines.index("make check") < lines.index(f"make test || {again}")


def test_the_whole_suite_can_be_run_under_the_coverage_gate():
    coverage = tomllib.loads(document("pyproject.toml"))["tool"]["coverage"]
    assert coverage["run"]["branch"] is True
    assert coverage["report"]["fail_under"] >= 95
    assert re.search(r"^coverage:.*\n\t\$\(PYTEST\) --cov", document("Makefile"), re.MULTILINE)


def test_nothing_lies_about_at_the_top():
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL


def test_nothing_in_the_repository_knows_the_machine_it_was_made_on():
    homes = re.compile(r"(?<![\w.~/])/(?:work|root|home|Users)/\w")
    temporary = re.compile(r"(?<![\w.~/])/tmp/")
    known = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        in_tests = "tests" in path.relative_to(ROOT).parts
        if homes.search(text) or (temporary.search(text) and not in_tests):
            known.append(str(path.relative_to(ROOT)))
    assert known == []


def test_no_file_in_the_repository_is_generated_or_heavy():
    assert [path for path in tracked() if path.suffix in {".pyc", ".pyd", ".so", ".whl", ".db"}] == []
    # A Japanese font is as heavy as its signs are many; documents must not depend on the reader's own.
    font = ROOT / "marketplace" / "billing" / "documents" / "pdf" / "fonts" / "NotoSansJP-subset.ttf"
    assert [path for path in tracked() if path.stat().st_size > 512 * 1024] == [font]


def test_every_pinned_version_satisfies_what_the_project_asks_for():
    asked = tomllib.loads(document("pyproject.toml"))["project"]
    wanted = [*asked["dependencies"], *asked["optional-dependencies"]["dev"]]
    pinned = {line.split("==")[0].lower() for line in document("constraints.txt").splitlines() if "==" in line}
    names = {re.split(r"[<>=\[; ]", line)[0].lower() for line in wanted}
    assert {re.sub(r"[-_.]+", "-", name) for name in names} <= {re.sub(r"[-_.]+", "-", name) for name in pinned}


def test_what_is_not_python_ships_in_the_package():
    # hatchling takes every file of the package; what lies beside it is named one by one.
    wheel = tomllib.loads(document("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["marketplace"]
    assert wheel["force-include"] == {
        "migrations": "marketplace/_migrations",
        "verify_audit.py": "marketplace/_verify_audit.py",
    }
    ignored = subprocess.run(
        ["git", "check-ignore", *[str(path) for path in PACKAGE.rglob("*") if path.suffix in {".html", ".css", ".js"}]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout == ""


def test_the_migrations_are_found_where_a_wheel_puts_them(tmp_path):
    # Built by hand, since building needs the network: the package as installed, with the versions inside.
    installed = tmp_path / "site"
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for path in [*PACKAGE.glob("*.py"), *(PACKAGE / "kit").glob("*.py")]:
            archive.write(path, path.relative_to(ROOT))
        for path in (ROOT / "migrations").rglob("*.py"):
            archive.write(path, "marketplace/_migrations" / path.relative_to(ROOT / "migrations"))
    zipfile.ZipFile(package).extractall(installed)
    asked = "from marketplace.kit import migrations; print(migrations.HOME, migrations.head())"
    told = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=installed,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told == [str(installed / "marketplace" / "_migrations"), document("migrations/head").strip()]
