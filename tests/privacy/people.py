"""Numbers that pass their check digits, made at random; none is anybody's but by chance."""

import random

from marketplace.privacy.detectors import digits


def _completed(start: str, check, places: int = 1, tail: str = "") -> str:
    candidates = (f"{start}{digit:0{places}d}{tail}" for digit in range(10**places))
    return next((one for one in candidates if check(one)), "")


def my_number(chance: random.Random) -> str:
    return _completed(f"{chance.randrange(10**11):011d}", digits.is_my_number)


def licence(chance: random.Random) -> str:
    office = chance.choice(sorted(digits.LICENCE_OFFICES))
    return _completed(f"{office}{chance.randrange(10**8):08d}", digits.is_driving_licence, tail="0")


def card(chance: random.Random) -> str:
    start = chance.choice(("4", "51", "35", "37"))
    start = "3528" if start == "35" else start
    length = 15 if start == "37" else 16
    middle = "".join(str(chance.randrange(10)) for _ in range(length - 1 - len(start)))
    return _completed(start + middle, digits.is_card_number)


def pension(chance: random.Random) -> str:
    return f"{chance.randrange(1000, 9999)}-{chance.randrange(10**6):06d}"
