"""Mistakes that cost other projects money stand nowhere in the code: yen times 100, named methods, delayed capture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.recorder import NEVER_SENT

PACKAGE = Path(__file__).resolve().parents[2] / "marketplace"
MONEY = ("billing", "sandbox", "exchange")
AMOUNTS = ("amount", "unit_amount")
COUNTING = ("_counted", "money.to_gateway")


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((PACKAGE / package).rglob("*.py")):
            yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def is_hundred(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and node.args:  # int(100), Decimal("100")
        node = node.args[0]
    return isinstance(node, ast.Constant) and str(node.value) in {"100", "100.0"}


def times_hundred(module: ast.Module) -> list[int]:
    products = [node for node in ast.walk(module) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)]
    plain = [node.lineno for node in products if is_hundred(node.left) or is_hundred(node.right)]
    grown = [node for node in ast.walk(module) if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult)]
    return plain + [node.lineno for node in grown if is_hundred(node.value)]


def texts(module: ast.Module) -> list[str]:
    return [node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_no_amount_is_multiplied_by_a_hundred() -> None:
    assert [f"{name}:{line}" for name, module in modules(*MONEY) for line in times_hundred(module)] == []


@pytest.mark.parametrize(
    "code", ["amount * 100", "100 * amount", "amount *= 100", "amount * Decimal('100')", "int(amount * 100.0)"]
)
def test_the_search_finds_every_way_to_write_it(code: str) -> None:
    assert times_hundred(ast.parse(code)) == [1]
    assert times_hundred(ast.parse(code.replace("100", "1000"))) == []


def uncounted(module: ast.Module) -> list[int]:
    """Amounts that are given to the gateway as they are, and not through the table of currencies."""
    members = [
        (key.value, value)
        for node in ast.walk(module)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    ]
    return [
        value.lineno
        for name, value in members
        if name in AMOUNTS and not (isinstance(value, ast.Call) and ast.unparse(value.func) in COUNTING)
    ]


def test_amounts_go_out_through_the_table_of_currencies() -> None:
    sent = list(modules("billing/gateways"))
    assert [f"{name}:{line}" for name, module in sent for line in uncounted(module)] == []
    assert sum(name in AMOUNTS for _path, module in sent for name in texts(module)) >= 3


def test_the_search_finds_an_amount_that_goes_out_as_it_is() -> None:
    assert uncounted(ast.parse("{'amount': amount_minor}")) == [1]
    assert uncounted(ast.parse("{'unit_amount': int(amount_yen)}")) == [1]
    assert uncounted(ast.parse("{'unit_amount': money.to_gateway(yen, 'JPY')}")) == []


@pytest.mark.parametrize("name", NEVER_SENT)
def test_what_is_never_sent_is_not_named_by_the_gateway(name: str) -> None:
    named = [module for module, tree in modules("billing", "exchange") if name in texts(tree)]
    assert named == []
