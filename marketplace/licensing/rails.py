"""Rails: the ways to pay that a provider may choose for an offer, and why some are never offered. Pure."""

from collections.abc import Iterable
from typing import Any

from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import reading
from marketplace.licensing.errors import RailRefused
from marketplace.licensing.states import Rail

CARD_YEN = (50, 99_999_999)
"""What one card payment carries, in yen with tax: Stripe's minimum charge, and eight digits."""
KONBINI_YEN = (120, 300_000)
"""What one voucher of a convenience store carries, in yen with tax. Our own bounds, taken to be the usual ones:
nothing that we test against proves them, so the gateway may still refuse an amount near them."""
# The other rails end with a bank and carry any amount.
CARRIED_YEN = {Rail.CARD: CARD_YEN, Rail.KONBINI: KONBINI_YEN}
# The dearest price before tax that a rail still carries with the highest rate of consumption tax (10 %).
DEAREST_NET_YEN = {Rail.CARD: 90_909_090, Rail.KONBINI: 272_727}

REFUSED = {
    "prepaid": (
        (
            "Prepaid credits are off: under the Payment Services Act an issuer whose unused balance exceeds 10 million"
            " yen on 31 March or 30 September must notify and deposit half of it, and credits that others than the"
            " issuer accept need a registration beforehand."
        ),
        (
            "前払いクレジットは扱いません。資金決済法により、未使用残高が基準日（3月31日・9月30日）に1,000万円を超えると届出と"
            "半額以上の供託が必要で、発行者以外でも使える前払式支払手段（第三者型）は事前の登録が必要なためです。"
        ),
    ),
    "cash": (
        "Cash is not taken: nobody could match it to an order.",
        "現金は扱いません。注文と照合できないためです。",
    ),
    "crypto_assets": (
        (
            "Crypto-assets are not taken: exchanging them is reserved to registered businesses (Payment Services Act,"
            " article 63-2)."
        ),
        "暗号資産は扱いません。交換は登録業者に限られるためです（資金決済法63条の2）。",
    ),
    "cross_border_payout": (
        (
            "Payouts abroad are off: sending money abroad for others is exchange business reserved to banks and"
            " registered funds transfer providers."
        ),
        "国外への送金は扱いません。為替取引は銀行と登録された資金移動業者に限られるためです。",
    ),
}


def read_rails(names: Iterable[Any], pointer: str = "/rails") -> tuple[Rail, ...]:
    """Read the rails of an offer, in the order of the code list.

    Raises RailRefused, which says why, for what the exchange does not do, and Invalid for what nobody knows.
    """
    named = list(names)
    for index, name in enumerate(named):
        if isinstance(name, str) and name in REFUSED:
            reason, reason_ja = REFUSED[name]
            error = {"pointer": f"{pointer}/{index}", "detail": reason}
            raise RailRefused(reason, errors=[error], rail=name, reason_ja=reason_ja)
    order = list(Rail)
    return reading.several(reading.code(Rail), order.index)(named, pointer) if named else ()


def carries(rail: Rail, gross_yen: int) -> bool:
    """Return whether one payment on the rail can carry the amount, tax included."""
    low, high = CARRIED_YEN.get(rail, (1, AMOUNT_MAX))
    return low <= gross_yen <= high


def can_be_paid(rails: Iterable[Rail], net_yen: int) -> bool:
    """Return whether a price before tax can be paid on one of the rails, whatever tax comes to it."""
    return any(CARRIED_YEN.get(rail, (1, 0))[0] <= net_yen <= DEAREST_NET_YEN.get(rail, AMOUNT_MAX) for rail in rails)
