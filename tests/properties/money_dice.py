"""How often each deed of the machine of money is done, and what may be said to it."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from tests.properties.money_deeds import (
    cancel,
    close_books,
    dispute,
    end_of_month,
    fetch,
    follow_refunds,
    gateway_pays_us_out,
    give_back,
    hear,
    jump,
    look_after_the_bank,
    order,
    pay_an_invoice_by_card,
    pay_out,
    pay_outside,
    transfer_to_the_bank,
    transfer_to_the_gateway,
    visit,
    work,
)

Deed = Callable[..., None]
AT_THE_PAGE = (
    *["pay"] * 6,
    *("decline", "challenge", "pass", "fail", "konbini", "till", "lapse", "bank", "bank", "leave"),
)
WITH_PAYOUTS = ("draw", "draw", "approve", "file", "paid", "failed", "cancel", "claim", "claim paid")
JOBS = ("renew", "afterpay", "pages", "reconcile", "balance", "refunds", "backfill", "settle twice")
AT_THE_GATEWAY = ("whole", "whole", "part", "over", "known")
AT_THE_BANK = ("exact", "exact", "short", "over", "double", "stranger")
WITH_THE_BANK = ("assign", "back", "apply")
WITH_REFUNDS = ("settle", "fail", "by bank", "bounced", "at the gateway", "own")
IN_DISPUTES = ("open", "open", "inquire", "won", "lost")
FROM_THE_GATEWAY = ("send", "fail", "settle")
HOURS = (-1, 1, 1, 25, 72, 216)
DICE: dict[Deed, tuple[int, Callable[[Random], tuple[Any, ...]]]] = {
    order: (18, lambda die: (die.randrange(3), die.randrange(7), die.randrange(4))),
    visit: (22, lambda die: (die.randrange(12), die.choice(AT_THE_PAGE))),
    transfer_to_the_gateway: (3, lambda die: (die.randrange(9), die.randint(1, 60_000), die.choice(AT_THE_GATEWAY))),
    transfer_to_the_bank: (4, lambda die: (die.randrange(9), die.randint(1, 60_000), die.choice(AT_THE_BANK))),
    look_after_the_bank: (3, lambda die: (die.randrange(9), die.randrange(4), die.choice(WITH_THE_BANK))),
    pay_outside: (1, lambda die: (die.randrange(9),)),
    pay_an_invoice_by_card: (3, lambda die: (die.randrange(9),)),
    give_back: (
        5,
        lambda die: (die.randrange(12), die.choice((1, 1, 2, 3, 7)), die.random() < 0.3, die.random() < 0.8),
    ),
    follow_refunds: (6, lambda die: (die.randrange(12), die.choice(WITH_REFUNDS))),
    dispute: (5, lambda die: (die.randrange(12), die.choice((1, 1, 2)), die.choice(IN_DISPUTES))),
    cancel: (1, lambda die: (die.randrange(9),)),
    fetch: (4, lambda die: (die.randrange(30), die.randrange(1024), die.randint(1, 1024), die.randint(0, 1024))),
    close_books: (2, lambda die: (die.choice((0, 0, 1, 40)),)),
    pay_out: (5, lambda die: (die.randrange(5), die.choice(WITH_PAYOUTS))),
    gateway_pays_us_out: (1, lambda die: (die.randrange(5), die.choice(FROM_THE_GATEWAY))),
    hear: (8, lambda die: (die.choice((0.2, 0.5, 1.0)), die.choice((1, 1, 1, 2)))),
    work: (4, lambda die: (die.choice(JOBS),)),
    jump: (1, lambda die: (timedelta(hours=die.choice(HOURS)),)),
    end_of_month: (1, lambda die: ()),
}
"""How often each deed is done in a long life, and what is said to it."""
