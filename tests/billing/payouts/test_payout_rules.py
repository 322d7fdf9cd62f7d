"""Rules of payouts: which accounts there are, how banks write names, and what a file of transfers says."""

import csv
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing.payouts import rules
from marketplace.billing.payouts.errors import PayeeAbroad, PayeeNotBusiness
from marketplace.billing.payouts.rules import TransferLine
from marketplace.kit.errors import Invalid
from tests.factories.payouts import account_draft

DAY = date(2026, 11, 30)
ACCOUNT = {
    "bank_code": "0501",
    "branch_code": "013",
    "account_type": "1",
    "account_number": "0123456",
    "holder_kana": "ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ",
}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("カ）サッポロデータ", "ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ"),
        ("ｶ)ｻｯﾎﾟﾛﾃﾞｰﾀ", "ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ"),
        ("さっぽろし　かいけいかんりしゃ", "ｻﾂﾎﾟﾛｼ ｶｲｹｲｶﾝﾘｼﾔ"),
        ("ヴァイオリン（株）", "ｳﾞｱｲｵﾘﾝ(株)"),
        ("ＭＵＳＵＢＩ　　ｉｎｃ．", "MUSUBI INC."),
        ("ア￥「イ」・", "ｱ\\｢ｲ｣."),
        ("", ""),
    ],
)
def test_names_are_written_as_banks_carry_them(said: str, written: str) -> None:
    assert rules.bank_kana(said) == written


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"bank_code": "501"}, "/bank_code"),
        ({"bank_code": "０５０１"}, "/bank_code"),
        ({"branch_code": "01a"}, "/branch_code"),
        ({"account_number": "12345678"}, "/account_number"),
        ({"holder_kana": "札幌市"}, "/holder_kana"),
        ({"holder_kana": "ｱ,9999999"}, "/holder_kana"),
        ({"holder_kana": "=CMD|' /C"}, "/holder_kana"),
        ({"holder_kana": "ア" * 31}, "/holder_kana"),
        ({"holder_kana": "ガ" * 16}, "/holder_kana"),
        ({"holder_kana": "　"}, "/holder_kana"),
        ({"holder_kana": "ア\u202eイ"}, "/holder_kana"),
        ({"connect_account_id": "cus_1"}, "/connect_account_id"),
        ({"connect_account_id": "acct_1\n"}, "/connect_account_id"),
    ],
)
def test_accounts_that_no_bank_has_are_refused(changes: dict[str, str], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check_account(account_draft(**changes))
    assert [error["pointer"] for error in refusal.value.errors] == [pointer]


def test_individuals_and_accounts_abroad_are_refused_with_the_law() -> None:
    with pytest.raises(PayeeNotBusiness) as refusal:
        rules.check_account(account_draft(is_business=False))
    assert "Payment Services Act" in refusal.value.cause
    with pytest.raises(PayeeAbroad) as abroad:
        rules.check_account(account_draft(country="US"))
    assert "資金決済法" in abroad.value.cause_ja


def test_two_persons_are_needed_above_the_threshold_and_not_at_it() -> None:
    assert [rules.persons_needed(yen, 1_000_000) for yen in (1, 1_000_000, 1_000_001)] == [1, 1, 2]


def test_a_transfer_file_has_the_fields_of_the_banks_format_in_their_order() -> None:
    lines = [TransferLine("pyt_1", ACCOUNT, 19_800), TransferLine("pyt_2", ACCOUNT | {"branch_code": "014"}, 1)]
    text = rules.transfer_file(lines, DAY, ACCOUNT | {"bank_code": "0001"})
    assert text == (
        "1,21,0,,ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ,1130,0001,,013,,1,0123456,\r\n"
        "2,0501,,013,,,1,0123456,ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ,19800,0,,,7,,\r\n"
        "2,0501,,014,,,1,0123456,ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ,1,0,,,7,,\r\n"
        "8,2,19801,\r\n"
        "9,\r\n"
    )
    assert text.encode("cp932").decode("cp932") == text


def test_an_operator_without_an_account_leaves_its_fields_to_the_bank() -> None:
    assert rules.transfer_file([], DAY).splitlines()[0] == "1,21,0,,,1130,,,,,,,"


@given(st.text(max_size=60))
def test_whatever_a_holder_is_called_a_record_keeps_its_fields_and_its_bytes(name: str) -> None:
    try:
        account = rules.check_account(account_draft(holder_kana=name))
    except Invalid:
        return
    text = rules.transfer_file([TransferLine("pyt_1", ACCOUNT | {"holder_kana": account.holder_kana}, 7)], DAY)
    [_head, record, total, _end] = csv.reader(text.encode("cp932").decode("cp932").splitlines())
    assert (len(record), record[8], record[9], total[2]) == (16, account.holder_kana, "7", "7")
