"""The patterns of each kind, matched over many cells at once; none of them can backtrack without bound."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from marketplace.privacy.detectors import digits, people
from marketplace.privacy.detectors.kinds import Kind

Accept = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern over folded cells, one on each line; ``needs`` are characters without one of which nothing matches.

    ``whole`` says that it takes a cell as a whole, ``named`` that it means something only below a header that
    announces the kind.
    """

    kind: Kind
    regex: re.Pattern[str]
    accept: Accept
    whole: bool = False
    named: bool = False
    needs: str = ""

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the matches that hold."""
        if self.needs and not any(one in text for one in self.needs):
            return
        for match in self.regex.finditer(text):
            if self.accept(match):
                yield match


_GLUE = r"(?<![0-9A-Za-z.+-])"
_FREE = r"(?![0-9A-Za-z-]|\.[0-9])"
_DATE = (
    r"(?:(?:18|19|20)[0-9]{2}[-/.年][ ]?[0-9]{1,2}[-/.月][ ]?[0-9]{1,2}日?"
    r"|(?:明治|大正|昭和|平成|令和|[MTSHRmtshr])[ ]?(?:元|[0-9]{1,2})[-/.年][ ]?[0-9]{1,2}[-/.月][ ]?[0-9]{1,2}日?)"
)
_COMPACT = r"(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_PHONE = (
    r"(?:\+81[- ]?|\(?0)[0-9]{1,4}\)?[- (][0-9]{1,4}[-) ][0-9]{3,4}"
    r"|\(0[0-9]{1,4}\)[ ]?[0-9]{1,4}-[0-9]{4}"
)
_ROLE_WORDS = """
info contact support office webmaster admin postmaster mail sales help inquiry koho soumu somu kouhou opendata
noreply no-reply ict kikaku jouhou joho service press recruit order shop customer hello privacy
"""
_ROLES = frozenset(_ROLE_WORDS.split())
_TOLL_FREE = ("0120", "0570", "0800", "0990")
_COORDINATE = r"-?[0-9]{1,3}\.[0-9]{4,}"


def _yes(_match: re.Match[str]) -> bool:
    return True


def _only_digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def checked(check: Callable[[str], bool]) -> Accept:
    """Return what accepts a match whose digits pass a check."""
    return lambda match: check(_only_digits(match["number"] if "number" in match.re.groupindex else match[0]))


def _is_phone(match: re.Match[str]) -> bool:
    number = _only_digits(match["number"])
    if match["number"].startswith("+81"):
        number = "0" + number[2:]
    if number.startswith(_TOLL_FREE):
        return False
    is_mobile = number[:3] in {"050", "060", "070", "080", "090"}
    return len(number) == (11 if is_mobile else 10) and number[1] != "0"


def _is_bare_phone(match: re.Match[str]) -> bool:
    # Spreadsheets take the leading zero from a number.
    number = match["number"] if match["number"].startswith("0") else "0" + match["number"]
    return len(number) in {10, 11} and number[1] != "0" and not number.startswith(_TOLL_FREE)


def is_personal_mailbox(address: str) -> bool:
    """Whether an address is, by its look, a person's and not an office's."""
    local, _, domain = address.lower().rpartition("@")
    word = re.split(r"[._+-]", local)[0]
    return word not in _ROLES and local not in _ROLES and not domain.endswith((".lg.jp", ".go.jp"))


def _is_personal(match: re.Match[str]) -> bool:
    return is_personal_mailbox(match[0])


def _is_in_japan(match: re.Match[str]) -> bool:
    # Compared as whole degrees: 20 to 46 north, 122 to 154 east.
    return all(20 <= degrees < 46 or 122 <= degrees < 154 for degrees in map(_degrees, match[0].split(",")))


def _degrees(text: str) -> int:
    return int(text.strip(" ()[]").partition(".")[0] or 0)


PATTERNS = (
    Pattern(
        Kind.MY_NUMBER,
        re.compile(r"(?m)^[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}$"),
        checked(digits.is_my_number),
        whole=True,
    ),
    Pattern(
        Kind.MY_NUMBER,
        re.compile(
            r"(?:個人番号|マイナンバー|(?i:my ?number))[^0-9\n]{0,12}"
            r"(?P<number>[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4})(?![0-9])"
        ),
        checked(digits.is_my_number),
        needs="番バNn",
    ),
    Pattern(
        Kind.DRIVING_LICENCE,
        re.compile(r"(?m)^第?[ ]?(?P<number>[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4})[ ]?号?$"),
        checked(digits.is_driving_licence),
        whole=True,
    ),
    Pattern(
        Kind.DRIVING_LICENCE,
        re.compile(
            r"免許(?:証)?(?:の)?(?:番号|No\.?)?[^0-9\n]{0,8}第?(?P<number>[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4})(?![0-9])"
        ),
        checked(digits.is_driving_licence),
        needs="免",
    ),
    Pattern(
        Kind.PENSION_NUMBER,
        re.compile(r"(?m)^(?P<number>[1-9][0-9]{3}-[0-9]{6})$"),
        checked(digits.is_pension_number),
        whole=True,
    ),
    Pattern(
        Kind.PENSION_NUMBER, re.compile(r"(?m)^[0-9]{10}$"), checked(digits.is_pension_number), whole=True, named=True
    ),
    Pattern(
        Kind.PENSION_NUMBER,
        re.compile(r"年金(?:手帳)?(?:の)?番号[^0-9\n]{0,8}(?P<number>[0-9]{4}-?[0-9]{6})(?![0-9])"),
        checked(digits.is_pension_number),
        needs="年",
    ),
    Pattern(
        Kind.CARD_NUMBER,
        re.compile(
            r"(?m)^[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,4}[ -]?[0-9]{0,3}$"
            r"|^[0-9]{4}[ -]?[0-9]{6}[ -]?[0-9]{4,5}$"
        ),
        checked(digits.is_card_number),
        whole=True,
    ),
    Pattern(
        Kind.CARD_NUMBER,
        re.compile(rf"{_GLUE}[0-9]{{4}}([ -])[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?![0-9-])"),
        checked(digits.is_card_number),
        needs=" -",
    ),
    Pattern(
        Kind.CARD_PART,
        re.compile(
            r"(?:[*xX●＊]{4}[ -]?){1,3}[0-9]{4}(?![0-9A-Za-z])"
            r"|(?:カード|card)[^\n]{0,12}(?:下|末尾)4[桁けた]+[^0-9\n]{0,4}[0-9]{4}(?![0-9])"
        ),
        _yes,
        needs="*xX●カc",
    ),
    Pattern(
        Kind.EMAIL,
        re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}"),
        _is_personal,
        needs="@",
    ),
    Pattern(
        Kind.TELEPHONE,
        re.compile(rf"(?m)^(?P<number>{_PHONE})(?:[ ]?\(?(?:代|代表|内線[0-9]{{0,5}})\)?)?$"),
        _is_phone,
        whole=True,
    ),
    Pattern(
        Kind.TELEPHONE,
        re.compile(r"(?m)^(?P<number>0?[0-9]{9,10})$"),
        _is_bare_phone,
        whole=True,
        named=True,
    ),
    Pattern(Kind.TELEPHONE, re.compile(rf"{_GLUE}(?P<number>{_PHONE}){_FREE}"), _is_phone, needs="-()"),
    Pattern(Kind.TELEPHONE, re.compile(r"(?m)^(?P<number>0[5789]0[0-9]{8})$"), _is_phone, whole=True),
    Pattern(Kind.POSTAL_CODE, re.compile(r"(?m)^〒?[ ]?[0-9]{3}-[0-9]{4}$"), _yes, whole=True, needs="-"),
    Pattern(Kind.POSTAL_CODE, re.compile(r"(?m)^[0-9]{7}$"), _yes, whole=True, named=True),
    Pattern(Kind.ADDRESS, people.ADDRESS, people.is_address, needs="都道府県市区町村"),
    Pattern(Kind.NAME, people.HONORIFIC, people.is_addressed, needs="様氏殿さ"),
    Pattern(Kind.NAME, people.FULL_NAME, people.is_full_name, whole=True),
    Pattern(Kind.NAME, people.ANY_NAME, people.is_any_name, whole=True, named=True),
    Pattern(Kind.KANA_NAME, people.KANA_PAIR, _yes, whole=True),
    Pattern(Kind.KANA_NAME, people.KANA_WORD, _yes, whole=True, named=True),
    Pattern(
        Kind.BIRTH_DATE,
        re.compile(rf"(?m)^(?:{_DATE}|{_COMPACT})(?:[ T]00?:00(?::00)?(?:\.0+)?)?(?:生まれ|生)?$"),
        _yes,
        whole=True,
        named=True,
    ),
    Pattern(
        Kind.BIRTH_DATE,
        re.compile(
            rf"(?:生年月日|誕生日)[^0-9\n明大昭平令MTSHR]{{0,4}}{_DATE}|{_DATE}[ ]?(?:生まれ|生(?![産活徒物成]))"
        ),
        _yes,
        needs="生誕",
    ),
    Pattern(
        Kind.CUSTOMER_NUMBER,
        re.compile(r"(?m)^[A-Za-z]{0,4}[- ]?[0-9]{3,16}[A-Za-z0-9-]{0,12}$"),
        _yes,
        whole=True,
        named=True,
    ),
    Pattern(
        Kind.CUSTOMER_NUMBER,
        re.compile(
            r"(?:会員|お客様|顧客|患者|被保険者)[ ]?(?:番号|(?i:no|id)|コード)"
            r"[^0-9A-Za-z\n]{0,4}[A-Za-z]{0,4}[- ]?[0-9*]{4,16}"
        ),
        _yes,
        needs="会客患保",
    ),
    Pattern(
        Kind.COORDINATES,
        re.compile(rf"(?m)^{_COORDINATE}$"),
        _is_in_japan,
        whole=True,
        named=True,
        needs=".",
    ),
    Pattern(
        Kind.COORDINATES,
        re.compile(rf"(?m)^[(\[]?{_COORDINATE}, ?{_COORDINATE}[)\]]?$"),
        _is_in_japan,
        whole=True,
        needs=",",
    ),
)
