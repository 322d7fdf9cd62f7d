"""What lets strangers' texts become programs, or guesses become good, stands nowhere in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.project import PACKAGE, ROOT, modules, tree

RUNS_TEXTS = {"eval", "exec", "compile", "render_template_string", "from_string", "system", "popen", "Markup"}
READS_PROGRAMS = {"pickle", "marshal", "shelve", "dill", "yaml"}
GUESSABLE = {"random"}
PLAYED = ("simulation", "demo")  # a plot that is the same every time wants randomness that is
READS_XML = {"xml.sax", "xml.dom", "xml.dom.minidom", "xml.parsers.expat", "lxml", "lxml.etree"}
BROKEN = re.compile(
    r"hashlib\.(md5|sha1|new)\b|[\"'](md5|sha1)[\"']|\bmodes\.(ECB|CBC)\b|\b(PKCS1v15|TripleDES|ARC4|RSA1_5)\b"
)


def named(call: ast.Call) -> tuple[str, str]:
    """What is called, and on what: ``re.compile`` is ("re", "compile")."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return (function.value.id if isinstance(function.value, ast.Name) else "", function.attr)
    return "", function.id if isinstance(function, ast.Name) else ""


def calls(paths: list[Path]) -> Iterator[tuple[str, ast.Call]]:
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def imports(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (
                    (path, name) for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names))
                )


def test_no_text_is_run_as_a_program_or_a_template():
    found = [where for where, call in calls(modules()) if named(call)[1] in RUNS_TEXTS and named(call)[0] != "re"]
    assert found == []


def test_programs_are_started_by_lists_of_words_and_never_by_a_shell():
    found = [where for where, call in calls(modules()) if any(word.arg == "shell" for word in call.keywords)]
    assert found == []
    for where, call in calls(modules()):
        if named(call)[0] == "subprocess" and call.args:
            assert isinstance(call.args[0], ast.List | ast.Name | ast.BinOp), where


def test_nothing_is_read_back_that_could_hold_a_program():
    assert [(path.name, name) for path, name in imports(modules()) if name.split(".")[0] in READS_PROGRAMS] == []


def test_xml_is_written_by_us_and_read_by_nobody_but_the_confined_reader():
    found = {path for path, name in imports(modules()) if name in READS_XML}
    assert {path for path in found if "profiling" not in path.parts} == set()
    for where, call in calls(modules()):
        assert not (named(call)[1] in {"fromstring", "iterparse", "XMLParser"} and "profiling" not in where), where


def test_what_must_not_be_guessed_is_drawn_from_the_operating_system():
    found = {path for path, name in imports(modules()) if name.split(".")[0] in GUESSABLE}
    assert {path for path in found if path.relative_to(PACKAGE).parts[0] not in PLAYED} == set()


def test_no_broken_algorithm_is_used():
    found = [
        (path.name, line.strip())
        for path in modules()
        for line in path.read_text(encoding="utf-8").splitlines()
        if BROKEN.search(line)
    ]
    # Code generators know nothing but HMAC-SHA-1 (RFC 6238), whose weakness in hashing does not touch it. tus demands
    # SHA-1 against errors of transport; Delta Sharing calls file names of 32 digits so, ours are parts of a SHA-256.
    # Croissant's context names the term, and no file of ours has one.
    assert {path for path, _line in found} == {
        "one_time_codes.py",
        "resumable.py",
        "checksums.py",
        "wire.py",
        "croissant.py",
    }


def inside_functions(module: ast.Module) -> Iterator[ast.Call]:
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            yield from (node for node in ast.walk(function) if isinstance(node, ast.Call))


def is_escaped(pattern: ast.expr) -> bool:
    """Whether a pattern is a literal or a constant, or a literal in which every other text is escaped."""
    if isinstance(pattern, ast.JoinedStr):
        inner = [part.value for part in pattern.values if isinstance(part, ast.FormattedValue)]
        return all(isinstance(value, ast.Call) and named(value) == ("re", "escape") for value in inner)
    return isinstance(pattern, ast.Constant | ast.Name)


def test_no_pattern_is_made_of_what_somebody_sent():
    """Nobody's text becomes a pattern inside a function: it could match wrongly, or for ever (ReDoS)."""
    loose = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in modules()
        for call in inside_functions(tree(path))
        if named(call)[0] == "re" and named(call)[1] != "escape" and call.args and not is_escaped(call.args[0])
    ]
    assert loose == []


@pytest.mark.parametrize(("text", "fine"), [("f'a{re.escape(x)}'", True), ("f'a{x}'", False), ("'a' + x", False)])
def test_the_search_tells_escaped_patterns_from_loose_ones(text: str, fine: bool):
    assert is_escaped(ast.parse(text).body[0].value) is fine


@pytest.mark.parametrize("text", ["eval(x)", "flask.render_template_string(x)", "os.system(x)", "Markup(x)"])
def test_the_search_finds_what_runs_texts(text: str):
    call = ast.parse(text).body[0].value
    assert named(call)[1] in RUNS_TEXTS


@pytest.mark.parametrize("text", ["hashlib.md5(x)", 'hmac.digest(x, y, "sha1")', "modes.CBC(iv)", "padding.PKCS1v15()"])
def test_the_search_finds_broken_algorithms(text: str):
    assert BROKEN.search(text)


def test_no_template_lets_a_text_pass_as_markup():
    templates = list(PACKAGE.rglob("*.html"))
    assert len(templates) > 20
    assert [
        path.name for path in templates if re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text("utf-8"))
    ] == []
