"""What a discount comes to, and what applications and coupons must look like. Pure."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.billing.discounts.states import DeductionKind
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.errors import Invalid
from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing.states import DiscountClass

WHOLE_BASIS_POINTS = 10_000
REDEMPTIONS_MAX = 1_000_000
REFERENCE_MAX = 500
LONGEST = timedelta(days=1_830)
# Crockford's base 32, without the signs that people mistake for one another; 20 of them are 100 random bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_SIGNS = 20
_LOOKALIKES = str.maketrans("OIL", "011", "- ")


@dataclass(frozen=True, slots=True)
class DiscountWish:
    """What the buyer asks to be taken off: for an eligibility of its own, for a coupon's code, or for both."""

    eligibility_id: str | None = None
    coupon_code: str | None = None


@dataclass(frozen=True, slots=True)
class Deduction:
    """What an order takes off the price before tax, and for what.

    On a price billed by usage ``amount_yen`` is 0 and ``basis_points`` are taken off each of its invoices.
    """

    kind: DeductionKind
    source_id: str
    basis_points: int | None
    amount_yen: int

    def document(self) -> dict[str, Any]:
        """Return the deduction as it is kept with the order."""
        return {
            "kind": self.kind.value,
            "source_id": self.source_id,
            "basis_points": self.basis_points,
            "amount_yen": self.amount_yen,
        }


@dataclass(frozen=True, slots=True)
class EligibilityDraft:
    """An application: the class, where the evidence is found (such as a grant number), and its file's SHA-256."""

    discount_class: DiscountClass
    evidence_reference: str
    evidence_sha256: str


@dataclass(frozen=True, slots=True)
class CouponDraft:
    """A coupon as its provider asks for it: percent (basis points) or yen off all its offers, or off one."""

    valid_until: datetime
    basis_points: int | None = None
    amount_yen: int | None = None
    offer_id: str | None = None
    valid_from: datetime | None = None
    max_redemptions: int = 1


def off(net_yen: int, *, basis_points: int | None = None, amount_yen: int | None = None) -> int:
    """Return how many yen come off a price before tax: a floored share, or an amount but never more than there is."""
    if net_yen < 0:
        raise ValueError("nothing is taken off less than nothing")
    if basis_points is not None:
        return net_yen * basis_points // WHOLE_BASIS_POINTS
    return min(net_yen, amount_yen or 0)


def new_code() -> str:
    """Return a code of 100 random bits, in groups of four to be read out."""
    signs = "".join(secrets.choice(ALPHABET) for _ in range(CODE_SIGNS))
    return "-".join(signs[at : at + 4] for at in range(0, CODE_SIGNS, 4))


def code_sha256(code: str) -> str:
    """Return what is kept of a code, however it was typed; a plain hash suffices, since nobody guesses 100 bits."""
    return sha256_hex(code.upper().translate(_LOOKALIKES).encode("utf-8", "surrogatepass"))


def check_coupon(draft: CouponDraft, now: datetime) -> None:
    """Raise Invalid, with a pointer for each fault, unless the coupon is sound."""
    faults = []
    if (draft.basis_points is None) == (draft.amount_yen is None):
        faults.append(("/basis_points", "state either basis_points or amount_yen"))
    for name, value, high in (
        ("basis_points", draft.basis_points, WHOLE_BASIS_POINTS),
        ("amount_yen", draft.amount_yen, AMOUNT_MAX),
        ("max_redemptions", draft.max_redemptions, REDEMPTIONS_MAX),
    ):
        if value is not None and not 1 <= value <= high:
            faults.append((f"/{name}", f"a whole number from 1 to {high:,} is needed"))
    if not max(draft.valid_from or now, now) < draft.valid_until <= now + LONGEST:
        faults.append(("/valid_until", "after valid_from, in the future, and within five years"))
    if faults:
        raise Invalid(errors=[{"pointer": pointer, "detail": detail} for pointer, detail in faults])


def check_validity(valid_until: datetime, now: datetime) -> None:
    """Raise Invalid unless an eligibility ends in the future, and within five years."""
    if not now < valid_until <= now + LONGEST:
        raise Invalid(errors=[{"pointer": "/valid_until", "detail": "in the future, and within five years"}])
