"""The permission table, as the document and an auditor read it."""

import click

from marketplace.identity.permissions import PERMISSIONS, Permission, Rule
from marketplace.identity.states import Capacity, MemberRole

HEADINGS = [
    "permission", "what one may do", "changes something", "scope", *Capacity, "people in these roles", "second factor",
]  # fmt: skip


def table() -> list[str]:
    """Return the table of ``docs/permissions.md``, line by line."""
    rule_off = "|" + "---|" * len(HEADINGS)
    return [_line(HEADINGS), rule_off, *(_line(_cells(name, rule)) for name, rule in PERMISSIONS.items())]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(permission: Permission, rule: Rule) -> list[str]:
    scope = f"`{rule.scope}`" if rule.scope else "none"
    changes, second_factor = _yes(rule.changes), _yes(rule.step_up)
    told = [f"`{permission}`", rule.meaning, changes, scope]
    return [*told, *(_capacity(rule, capacity) for capacity in Capacity), _roles(rule), second_factor]


def _capacity(rule: Rule, capacity: Capacity) -> str:
    if rule.capacities:
        return _yes(capacity in rule.capacities)
    if rule.in_person:
        return "in person"
    return "anybody" if rule.scope is None else "applicants too"


def _roles(rule: Rule) -> str:
    if rule.roles == frozenset(MemberRole):
        return "all"
    return ", ".join(role.value.replace("_", " ") for role in MemberRole if role in rule.roles)


def _yes(so: bool) -> str:
    return "yes" if so else ""


@click.command()
def permissions() -> None:
    """Print who may do what, as docs/permissions.md has it."""
    for line in table():
        click.echo(line)


COMMANDS = (permissions,)
