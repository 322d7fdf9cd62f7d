"""What the documents say of the code is what the code does: nothing undocumented, nothing stale."""

import re
import tomllib
from dataclasses import fields
from importlib.metadata import metadata, requires, version
from pathlib import Path

import click
from packaging.requirements import Requirement

import marketplace.app  # brings every refusal, permission and job in
from marketplace import cli
from marketplace.audit.verbs import Verb
from marketplace.cli import permissions
from marketplace.identity.permissions import PERMISSIONS
from marketplace.kit import jobs, variables
from marketplace.kit.errors import all_refusals
from marketplace.kit.settings import Settings
from tests.house.project import PACKAGE, ROOT, document, named, rows, tracked


def test_every_problem_is_documented_as_it_is_answered():
    documented = named("docs/problems.md")
    assert set(documented) == set(all_refusals())
    for slug, refusal in all_refusals().items():
        told = ("title", "cause", "cure")
        said = [f"{getattr(refusal, name)}<br>{getattr(refusal, f'{name}_ja')}" for name in told]
        assert documented[slug] == [f"`{slug}`", str(refusal.status), *said]


def test_every_problem_speaks_both_languages_and_says_what_to_do():
    for slug, refusal in all_refusals().items():
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", slug)
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", refusal.title_ja), slug
        assert refusal.cause.endswith("."), slug
        assert refusal.cure.endswith("."), slug
        assert refusal.cause_ja.endswith("。"), slug
        assert refusal.cure_ja.endswith("。"), slug


def test_every_setting_is_documented_with_its_default():
    documented = named("docs/settings.md")
    assert set(documented) == {variables.name_of(field.name) for field in fields(Settings)}
    for field in fields(Settings):
        default, said = getattr(Settings(), field.name), documented[variables.name_of(field.name)][1]
        if isinstance(default, bool):
            assert said == f"`{str(default).lower()}`"
        elif default is not None and field.name != "stripe_webhook_secrets":
            assert said.startswith(f"`{default}`"), field.name


def test_the_documented_permissions_are_what_the_command_prints():
    assert "\n".join(["", *permissions.table(), ""]) in document("docs/permissions.md")
    assert set(named("docs/permissions.md")) >= {permission.value for permission in PERMISSIONS}


def test_the_documented_addresses_are_those_of_the_api(shared_app):
    guarded = {
        f"{method} {rule.rule}": permission
        for rule in shared_app.url_map.iter_rules()
        if (permission := getattr(shared_app.view_functions[rule.endpoint], "_permission", None))
        and rule.rule.startswith(("/v1", "/webhooks"))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {row[0].strip("`"): row[1] for row in rows("docs/permissions.md") if len(row) == 2}
    assert documented == {address: permission.value for address, permission in guarded.items()}


def test_every_verb_is_documented():
    documented = {name for name in named("docs/audit-verbs.md") if "." in name}
    assert documented == {verb.value for verb in Verb}


def test_every_verb_is_written_by_somebody():
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "verbs.py")
    assert [verb.name for verb in Verb if f"Verb.{verb.name}" not in code] == []


def dependencies():
    project = tomllib.loads(document("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [re.split(r"[<>=\[; ]", line)[0] for line in wanted]


def licence_of(name):
    told = metadata(name)
    stated = [told.get("License-Expression"), told.get("License"), *told.get_all("Classifier", [])]
    return " ".join(filter(None, stated))


def test_every_dependency_has_a_reason_and_a_licence_in_the_decision_record():
    documented = named("docs/decisions/0003-libraries.md")
    assert set(documented) == set(dependencies())
    for name, (_library, licence, reason) in documented.items():
        assert len(reason) > 15, name
        assert re.split(r"[ -]", licence)[0].lower() in licence_of(name).lower(), name


def pin_of(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name, extras=()):
    """Every distribution that an installed one needs here, itself included, by the name of its pin."""
    found, waiting = set(), [(name, frozenset(extras))]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for line in requires(one[0]) or []:
            wanted = Requirement(line)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in one[1] or {""}):
                waiting.append((pin_of(wanted.name), frozenset(wanted.extras)))
    return {each for each, _extras in found}


def test_what_is_installed_is_pinned_and_nothing_else_is():
    project = tomllib.loads(document("pyproject.toml"))["project"]
    wanted = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    asked = set().union(*(needed(pin_of(one.name), one.extras) for one in wanted))
    pins = dict(line.split("==") for line in document("constraints.txt").splitlines() if "==" in line)
    assert {pin_of(name) for name in pins} == asked
    assert {name: version(name) for name in pins} == pins


def test_decisions_are_numbered_and_have_three_parts():
    found = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in found] == [f"{number:04d}" for number in range(1, len(found) + 1)]
    for path in found:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_every_job_is_documented_with_its_hours():
    documented = {name: row[1] for name, row in named("docs/operating.md").items() if name in jobs._tasks}
    assert documented == {name: f"`{cron}`" for name, cron in jobs._periodic.items()}


def test_every_story_and_every_room_of_billing_is_in_its_readme():
    for package, kind in (("exchange", Path.is_file), ("billing", Path.is_dir)):
        folder = PACKAGE / package
        names = {path.stem for path in folder.iterdir() if kind(path) and path.suffix in {".py", ""}}
        told = re.findall(r"`([a-z_]+)[/`]", document(f"marketplace/{package}/README.md"))
        assert names - set(told) - {"__init__", "__pycache__", "errors"} == set(), package


def commands():
    for name, command in cli.build(marketplace.app.composition()).commands.items():
        if isinstance(command, click.Group):
            yield from (f"marketplace {name} {below}" for below in command.commands)
        else:
            yield f"marketplace {name}"


def test_every_command_is_shown_to_operators():
    shown = document("docs/operating.md")
    assert [command for command in commands() if not re.search(rf"\b{command}\b", shown)] == []


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def test_links_between_documents_lead_somewhere():
    lost = []
    for path in tracked():
        if path.suffix == ".md":
            text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            targets = [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]
            lost += [(path.name, target) for target in targets if not (path.parent / target).exists()]
    assert lost == []


def test_each_lesson_of_others_names_tests_that_exist():
    lessons = [row for row in rows("docs/lessons.md") if len(row) == 4]
    assert [row[0] for row in lessons] == [str(number) for number in range(1, 41)]
    edges = [row for row in rows("docs/lessons.md") if len(row) == 3]
    assert len(edges) >= 8
    for row in (*lessons, *edges):
        named = re.findall(r"`(tests/[^`]*\.py)::(test_\w+)`", row[-1])
        assert named, row[0]
        lost = [one for one in named if f"def {one[1]}(" not in document(one[0])]
        assert lost == [], row[0]
