"""Reading the CSV of a bank's statement: Japanese or English headers, UTF-8 or CP932. Pure; guesses nothing."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from marketplace.billing.bank import dates
from marketplace.billing.bank.errors import BankFileUnreadable
from marketplace.kit.canonical import digest_of
from marketplace.kit.money import AMOUNT_MAX
from marketplace.kit.texts import is_storable

HEADERS = {
    "date": "日付 取引日 お取引日 取引年月日 年月日 入金日 勘定日 date bookingdate transactiondate",
    "amount": "入金額 入金金額 お預入金額 お預り金額 お預入れ 預入金額 金額 取引金額 amount credit deposit",
    "direction": "入払区分 入出金区分 区分 direction type",
    "payer": "振込依頼人名 振込依頼人 依頼人名 お振込人 振込人名 payer remitter name",
    "reference": "摘要 お取り扱い内容 お取引内容 取引内容 内容 edi情報 備考 reference description memo",
    "account": "仮想口座番号 仮想口座 振込専用口座 被振込口座番号 入金口座番号 virtualaccount account",
    "id": "取引番号 照会番号 明細番号 transactionid id",
}
"""What banks call their columns; an amount that went out stands in another column, or is below zero."""
_FIELD_OF = {word: field for field, words in HEADERS.items() for word in words.split()}
_INCOMING = {"", "1", "入金", "振込入金", "入", "credit", "cr", "in"}
_OUTGOING = {"2", "出金", "出", "debit", "dr", "out"}
_AMOUNT = re.compile(r"([-▲△]?)(\d{1,15})(?:\.0+)?")
_SUM_LINES = ("合計", "小計", "total")
_HEADER_ROWS_MAX = 20
_ROWS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Transfer:
    """One incoming transfer. ``fingerprint`` is the same in every file that shows it.

    Without a number of the bank's own, it is the content and, for transfers that look alike on one day,
    their count: a file that shows the day again, wholly or up to some hour, counts the same ones alike.
    """

    fingerprint: str
    booked_on: date
    amount_yen: int
    payer: str
    account: str | None
    reference: str
    raw: dict[str, str]


def read(content: bytes) -> list[Transfer]:
    """Return the incoming transfers of a statement in its order; outgoing lines and sums are left out.

    Raises BankFileUnreadable naming every row that is unclear: a file is taken in whole or not at all.
    """
    rows = list(_rows(_text(content)))
    columns, start = _columns(rows)
    seen: Counter[str] = Counter()
    transfers, errors = [], []
    for number, row in enumerate(rows[start:], start + 1):
        named = {field: _cell(row, place) for field, place in columns.items()}
        try:
            transfer = _transfer(named, seen)
        except ValueError as error:
            errors.append({"pointer": f"/rows/{number}", "detail": str(error)})
            continue
        if transfer is not None:
            transfers.append(transfer)
    if errors:
        raise BankFileUnreadable(errors=errors[:100])
    return transfers


def plain(text: str) -> str:
    """Return a text with half-width kana made full, full-width digits made half, capitals and single spaces."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().upper()


def read_amount(text: str) -> int:
    """Return whole yen out of ``1,000``, ``¥1,000``, ``１，０００円``, ``▲500``; ValueError for anything else."""
    given = re.sub(r"[\s,¥\\円+]", "", unicodedata.normalize("NFKC", text))
    found = _AMOUNT.fullmatch(given)
    if found is None:
        raise ValueError("the amount is no whole number of yen")
    amount = int(found[2])
    if amount > AMOUNT_MAX:
        raise ValueError(f"the amount is above {AMOUNT_MAX:,} yen")
    return -amount if found[1] else amount


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if is_storable(text):
            return text
    raise BankFileUnreadable(errors=[{"pointer": "/rows/1", "detail": "neither UTF-8 nor CP932"}])


def _rows(text: str) -> Iterator[list[str]]:
    first = "\n".join(text.splitlines()[:_HEADER_ROWS_MAX])
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    try:
        for count, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)):
            if count >= _ROWS_MAX:
                raise BankFileUnreadable(errors=[{"pointer": f"/rows/{count}", "detail": "too many rows"}])
            yield row
    except csv.Error as error:
        raise BankFileUnreadable(errors=[{"pointer": "/rows", "detail": str(error)}]) from error


def _columns(rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], int]:
    # Banks put the account's name and period above the header.
    for number, row in enumerate(rows[:_HEADER_ROWS_MAX]):
        columns: dict[str, int] = {}
        for place, word in enumerate(row):
            field = _FIELD_OF.get(_header(word))
            if field is not None:
                columns.setdefault(field, place)
        if {"date", "amount"} <= columns.keys():
            return columns, number + 1
    raise BankFileUnreadable(errors=[{"pointer": "/rows/1", "detail": "no header with a date and an amount"}])


def _header(word: str) -> str:
    bare = re.sub(r"\(.*?\)|[\s_\-・]", "", unicodedata.normalize("NFKC", word))
    return bare.casefold()


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _transfer(named: Mapping[str, str], seen: Counter[str]) -> Transfer | None:
    if not any(named.values()) or _is_sum(named):
        return None
    booked_on = dates.read_day(named["date"])
    if not _comes_in(named):
        return None
    amount = read_amount(named["amount"])
    if amount <= 0:
        return None
    fields = {field: plain(named.get(field, "")) for field in ("payer", "reference", "id")}
    account = re.sub(r"\D", "", plain(named.get("account", ""))) or None
    content = [booked_on.isoformat(), amount, fields["payer"], fields["reference"], account]
    return Transfer(
        fingerprint=_fingerprint(content, fields["id"], seen),
        booked_on=booked_on,
        amount_yen=amount,
        payer=fields["payer"],
        account=account,
        reference=fields["reference"],
        raw={field: value for field, value in named.items() if value},
    )


def _is_sum(named: Mapping[str, str]) -> bool:
    words = [_header(value) for value in named.values()]
    return not re.search(r"\d", named["date"]) and any(word.startswith(_SUM_LINES) for word in words)


def _comes_in(named: Mapping[str, str]) -> bool:
    direction = _header(named.get("direction", ""))
    if direction in _OUTGOING or not named["amount"]:
        return False
    if "direction" in named and direction not in _INCOMING:
        raise ValueError("neither incoming nor outgoing")
    return True


def _fingerprint(content: list[object], bank_id: str, seen: Counter[str]) -> str:
    if bank_id:
        return digest_of(["bank-id", content[0], content[1], bank_id])
    alike = digest_of(content)
    seen[alike] += 1
    return digest_of([alike, seen[alike]])
