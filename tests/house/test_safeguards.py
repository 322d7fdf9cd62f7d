"""The numbers and words that `docs/safeguards.md` tells are those of the code."""

import importlib
import re
from datetime import timedelta
from pkgutil import resolve_name

import pytest

from marketplace.identity.login import rules
from tests.house.project import document, rows

UNITS = {"": 1, "s": 1, "min": 60, "h": 3600, "days": 86_400, "KiB": 2**10, "MiB": 2**20}


def told() -> dict[str, int]:
    """Every constant that the document names, with what it says of it: a plain number, seconds or bytes."""
    found = {}
    for row in rows("docs/safeguards.md"):
        if constant := re.fullmatch(r"`(marketplace\.[\w.]+)`", row[-1]):
            number, unit = re.fullmatch(r"([\d,]+) ?(s|min|h|days|KiB|MiB|)", row[-2]).groups()
            found[constant[1]] = int(number.replace(",", "")) * UNITS[unit]
    return found


def value_of(constant: str) -> int:
    """The value of a constant of a module, or of a field's default in one of its classes."""
    value = resolve_name(constant)
    return int(value.total_seconds()) if isinstance(value, timedelta) else value


def test_the_limits_that_are_told_are_those_of_the_code():
    limits = told()
    assert len(limits) >= 30
    assert {constant: value_of(constant) for constant in limits} == limits


def test_the_words_that_are_told_are_those_that_are_refused():
    [line] = [line for line in document("docs/safeguards.md").splitlines() if line.startswith("`musubi`")]
    assert sorted(re.findall(r"`([^`]+)`", line)) == sorted(rules.CONTEXT_WORDS)
    for word in rules.CONTEXT_WORDS:
        assert rules.password_fault(f"{word}-2026", (), frozenset()) is not None, word


def test_every_kind_of_key_in_use_is_told():
    text = document("docs/safeguards.md")
    for algorithms in ("marketplace.identity.oauth.jwts", "marketplace.identity.login.provider_tokens"):
        for name in importlib.import_module(algorithms).ALGORITHMS:
            assert name in text, name


@pytest.mark.parametrize("name", ["DATABASE_URL", "STRIPE_API_BASE", "MARKETPLACE_SMTP_URL", "MARKETPLACE_OIDC_ISSUER"])
def test_every_destination_that_a_setting_names_is_told(name: str):
    assert f"`{name}`" in document("docs/safeguards.md")
