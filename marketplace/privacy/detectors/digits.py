"""Check digits of the numbers that identify people. Each takes exactly the digits, and nothing else."""

_OFFICES = """
10 11 12 13 14 20 21 22 23 24 25 30 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 60 61 62 63 64 65
70 71 72 73 74 80 81 82 83 90 91 92 93 94 95 96 97
"""
LICENCE_OFFICES = frozenset(_OFFICES.split())
_LICENCE_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_CARD_LENGTHS = {"4": (16, 19), "5": (16,), "2": (16,), "3": (14, 15, 16), "6": (16, 19)}


def is_my_number(digits: str) -> bool:
    """Whether 12 digits end in the check digit of an individual number (総務省令第85号, article 5)."""
    if len(digits) != 12 or len(set(digits)) == 1:
        return False
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits[:11]), start=1))
    rest = total % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def is_driving_licence(digits: str) -> bool:
    """Whether 12 digits begin with a prefecture's code and carry, in the eleventh place, the modulus 11 check digit."""
    if len(digits) != 12 or digits[:2] not in LICENCE_OFFICES:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits[:10], _LICENCE_WEIGHTS, strict=True))
    return int(digits[10]) == (11 - total % 11) % 10


def is_pension_number(digits: str) -> bool:
    """Whether 10 digits can be a basic pension number: four of an office and six more. No check digit is published."""
    return len(digits) == 10 and "01" <= digits[:2] <= "99" and len(set(digits)) > 2


def is_card_number(digits: str) -> bool:
    """Whether digits have the prefix and length of a card brand and end in the check digit of Luhn (ISO/IEC 7812)."""
    if len(digits) not in _CARD_LENGTHS.get(digits[:1], ()) or len(set(digits)) == 1 or not _is_issued(digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_issued(digits: str) -> bool:
    head = int(digits[:4])
    first = digits[0]
    if first == "5":
        return 5100 <= head <= 5599
    if first == "2":
        return 2221 <= head <= 2720
    if first == "3":
        return head // 100 in {34, 36, 37, 38, 39} or 3528 <= head <= 3589 or 3000 <= head <= 3059
    return first == "4" or head == 6011 or head // 100 == 65 or 6440 <= head <= 6499
