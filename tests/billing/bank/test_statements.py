"""Bank statements: every way Japanese banks write days, amounts and names, and that nothing is guessed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing.bank import dates, statements
from marketplace.billing.bank.errors import BankFileUnreadable
from marketplace.kit.money import AMOUNT_MAX

PLAIN = '日付,入金額,振込依頼人名,摘要\n2026/11/22,"13,200",カ)サツポロシヨウジ,M0001-2026-000002\n'


def one(text: str, encoding: str = "utf-8") -> statements.Transfer:
    (transfer,) = statements.read(text.encode(encoding))
    return transfer


def refused(content: bytes) -> list[dict[str, str]]:
    with pytest.raises(BankFileUnreadable) as refusal:
        statements.read(content)
    return refusal.value.errors


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026/11/22", date(2026, 11, 22)),
        ("2026-1-2", date(2026, 1, 2)),
        ("20261122", date(2026, 11, 22)),
        ("２０２６／１１／２２", date(2026, 11, 22)),
        ("2026年11月22日", date(2026, 11, 22)),
        ("R8.11.22", date(2026, 11, 22)),
        ("令和8年11月22日", date(2026, 11, 22)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("H31.4.30", date(2019, 4, 30)),
        ("S64.1.7", date(1989, 1, 7)),
        ("2028/2/29", date(2028, 2, 29)),
        ("R10.2.29", date(2028, 2, 29)),
    ],
)
def test_days_are_read_as_banks_write_them(text: str, day: date) -> None:
    assert dates.read_day(text) == day


@pytest.mark.parametrize(
    "text", ["", "081122", "22/11/2026", "2027/2/29", "2026/13/1", "R1.4.30", "H31.5.1", "S64.1.8", "X8.1.1", "きのう"]
)
def test_a_day_that_is_none_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        dates.read_day(text)


@pytest.mark.parametrize(
    ("text", "yen"),
    [
        ("1", 1), ("13,200", 13200), ("¥13,200", 13200), ("１３，２００円", 13200), ("▲500", -500), ("-500", -500),
        ("500.00", 500), ("+500", 500), ("0", 0), (str(AMOUNT_MAX), AMOUNT_MAX),
    ],
)  # fmt: skip
def test_amounts_are_whole_yen(text: str, yen: int) -> None:
    assert statements.read_amount(text) == yen


@pytest.mark.parametrize("text", ["", "1.5", "12a", "1e3", "--5", str(AMOUNT_MAX + 1), str(2**53), "九百円"])
def test_an_amount_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        statements.read_amount(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_statement_is_read_in_the_encodings_of_japanese_banks(encoding: str) -> None:
    transfer = one(PLAIN, encoding)
    assert (transfer.booked_on, transfer.amount_yen) == (date(2026, 11, 22), 13_200)
    assert (transfer.payer, transfer.reference) == ("カ)サツポロシヨウジ", "M0001-2026-000002")
    assert transfer.fingerprint == one(PLAIN).fingerprint


def test_half_and_full_width_say_the_same() -> None:
    half = "お取引日,お預入金額（円）,振込依頼人,摘要\nR8.11.22,１３，２００,ｶ)ｻﾂﾎﾟﾛｼﾖｳｼﾞ,Ｍ０００１－２０２６－０００００２\n"
    full = "Date,Amount,Payer,Reference\n20261122,13200,カ)サツポロシヨウジ,M0001-2026-000002\n"
    assert one(half, "cp932").fingerprint == one(full).fingerprint


def test_a_preamble_outgoing_lines_sums_and_empty_rows_are_left_out() -> None:
    text = (
        "口座名義,札幌データ取引所\n照会期間,2026/11/01,2026/11/30\n\n"
        "取引日,入払区分,出金額,入金額,お振込人,内容\n"
        '2026/11/01,2,"5,000",,電気料金,引落\n'
        '2026/11/02,1,,"1,000",ﾔﾏﾀﾞ ﾀﾛｳ,振込\n'
        "2026/11/03,1,,0,,\n"
        "2026/11/04,1,,-300,取消,組戻\n"
        ",,,,,\n"
        '合計,,"5,000","1,000",,\n'
    )
    transfer = one(text)
    assert (transfer.amount_yen, transfer.payer) == (1_000, "ヤマダ タロウ")


def test_tabs_and_virtual_accounts_are_read() -> None:
    transfer = one("日付\t入金額\t振込依頼人名\t仮想口座番号\n2026/11/22\t1000\tヤマダ\t123-4567890\n")
    assert transfer.account == "1234567890"


def test_the_unclear_rows_are_named_and_the_file_is_taken_whole_or_not_at_all() -> None:
    text = "日付,入金額\n2026/11/22,100\n2026/02/30,100\n2026/11/23,百円\n"
    assert [error["pointer"] for error in refused(text.encode())] == ["/rows/3", "/rows/4"]


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", b"\x80\x81\xff\xff", "日付,入金額\n2026/11/22,\0".encode(), '日付,入金額\n"2026'.encode()],
)
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    assert refused(content)


def test_a_direction_nobody_knows_is_refused() -> None:
    assert refused("日付,入払区分,入金額\n2026/11/22,9,100\n".encode())


def test_transfers_that_look_alike_are_two_and_stay_two_in_a_longer_file() -> None:
    row = "2026/11/22,1000,ヤマダ,\n"
    short = statements.read(f"日付,入金額,振込依頼人名,摘要\n{row}{row}".encode())
    long = statements.read(f"日付,入金額,振込依頼人名,摘要\n2026/11/21,5,スズキ,\n{row}{row}{row}".encode())
    assert len({transfer.fingerprint for transfer in short}) == 2
    assert [transfer.fingerprint for transfer in short] == [transfer.fingerprint for transfer in long[1:3]]


def test_the_banks_own_number_tells_transfers_apart() -> None:
    head = "日付,入金額,取引番号,摘要\n"
    first, second = (one(f"{head}2026/11/22,1000,{number},\n") for number in ("A1", "A2"))
    again = one(f"{head}2026/11/22,1000,A1,別の摘要\n")
    assert first.fingerprint == again.fingerprint != second.fingerprint


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        read = statements.read(content)
    except BankFileUnreadable:
        return
    assert all(transfer.amount_yen > 0 for transfer in read)
