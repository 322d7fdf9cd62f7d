"""Rating: what a price comes to. Pure and exact; only an invoice line is rounded."""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal, Inexact, localcontext

from marketplace.licensing.states import PriceKind

MEBIBYTE_BYTES = 2**20
# Dividing by 2**20 takes 20 decimals; 60 digits hold any bytes times any yen. Inexact must never happen.
_EXACT = Context(prec=60, traps=[Inexact])
_WIDE = Context(prec=60)


def upfront_net_yen(price_kind: PriceKind, amount_yen: int) -> int:
    """Return what is due when the order is placed, before tax: metered and free offers cost nothing yet."""
    _require_count("amount_yen", amount_yen)
    return amount_yen if price_kind == PriceKind.ONE_OFF else 0


def rate_bytes(amount_yen_per_mib: int, included_mib: int, bytes_before: int, bytes_new: int) -> Decimal:
    """Return the exact price in yen of ``bytes_new`` bytes delivered after ``bytes_before`` of the same grant.

    The first ``included_mib`` MiB of the grant cost nothing. Additive: rating a stretch in parts or
    at once gives the same sum, so periods may be cut anywhere.
    """
    for name, value in (
        ("amount_yen_per_mib", amount_yen_per_mib),
        ("included_mib", included_mib),
        ("bytes_before", bytes_before),
        ("bytes_new", bytes_new),
    ):
        _require_count(name, value)
    included = included_mib * MEBIBYTE_BYTES
    charged = max(bytes_before + bytes_new - included, 0) - max(bytes_before - included, 0)
    with localcontext(_EXACT):
        return Decimal(charged) * amount_yen_per_mib / MEBIBYTE_BYTES


def sum_exact(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum; plain ``+`` and ``sum`` round to 28 digits in Python's default context."""
    with localcontext(_EXACT):
        return sum(amounts, Decimal(0))


def line_yen(exact: Decimal) -> int:
    """Return the yen of one invoice line: the exact amount, floored once."""
    if exact < 0:
        raise ValueError("an invoice line is not negative: corrections are credit notes")
    return int(exact.to_integral_value(rounding=ROUND_FLOOR, context=_WIDE))


def _require_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, zero or more: {value!r}")
