"""Who must approve a payout, what a transfer file says, and what an account may be. Pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from marketplace.billing.payouts.errors import PayeeAbroad, PayeeNotBusiness
from marketplace.billing.payouts.states import AccountType
from marketplace.billing.states import Via
from marketplace.kit.errors import Invalid

HOLDER_LENGTH_MAX = 30
FILE_AMOUNT_MAX = 9_999_999_999
"""Ten digits: what one record of a transfer file can carry. More goes by other ways."""
# Without the comma, which the JBA format would allow: it parts the fields of our file.
_HOLDER_SIGNS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ ().-/\\｢｣")
_OWN = ("bank_code", "branch_code", "account_type", "account_number", "holder_kana")
_CONNECT = re.compile(r"acct_[A-Za-z0-9]{1,64}")
_SMALL = str.maketrans("ｧｨｩｪｫｬｭｮｯｰ¥", "ｱｲｳｴｵﾔﾕﾖﾂ-\\")


@dataclass(frozen=True, slots=True)
class AccountDraft:
    """A bank account as its owner names it; codes and numbers are texts, since zeros lead."""

    bank_code: str
    branch_code: str
    account_type: AccountType
    account_number: str
    holder_kana: str
    is_business: bool
    country: str = "JP"
    connect_account_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransferLine:
    """One payment in a transfer file."""

    payout_id: str
    account: dict[str, str]
    amount_yen: int


def persons_needed(amount_yen: int, threshold_yen: int) -> int:
    """Return how many persons must stand behind a payout: two above the threshold."""
    return 2 if amount_yen > threshold_yen else 1


def check_account(draft: AccountDraft) -> AccountDraft:
    """Return the account with its holder as banks write it; raises PayeeAbroad, PayeeNotBusiness or Invalid."""
    if draft.country != "JP":
        raise PayeeAbroad(errors=[{"pointer": "/country", "detail": "JP"}])
    if not draft.is_business:
        raise PayeeNotBusiness(errors=[{"pointer": "/is_business", "detail": "true"}])
    faults = [
        {"pointer": f"/{name}", "detail": f"{length} digits"}
        for name, length in (("bank_code", 4), ("branch_code", 3), ("account_number", 7))
        if not _is_digits(getattr(draft, name), length)
    ]
    holder = bank_kana(draft.holder_kana)
    if not 1 <= len(holder) <= HOLDER_LENGTH_MAX or not all(_is_bank_sign(sign) for sign in holder):
        faults.append({"pointer": "/holder_kana", "detail": f"1 to {HOLDER_LENGTH_MAX} kana, capitals or digits"})
    if draft.connect_account_id is not None and not _CONNECT.fullmatch(draft.connect_account_id):
        faults.append({"pointer": "/connect_account_id", "detail": "acct_ and letters or digits"})
    if faults:
        raise Invalid(errors=faults)
    return AccountDraft(
        draft.bank_code,
        draft.branch_code,
        draft.account_type,
        draft.account_number,
        holder,
        is_business=True,
        connect_account_id=draft.connect_account_id,
    )


def bank_kana(name: str) -> str:
    """Return a name as banks carry it: half-width kana without small ones, capitals, single blanks."""
    full = unicodedata.normalize("NFKC", name).upper()
    katakana = "".join(chr(ord(sign) + 0x60) if "ぁ" <= sign <= "ゖ" else sign for sign in full)
    return " ".join("".join(_HALF.get(sign, sign) for sign in katakana).translate(_SMALL).split())


def transfer_file(lines: Sequence[TransferLine], on: date, requester: Mapping[str, str] | None = None) -> str:
    """Return a file of bank transfers (総合振込) as CSV: header, one record a payment, trailer, end.

    The fields of records 1, 2, 8 and 9 are those of the JBA format (全銀協レコード・フォーマット, 総合振込) in
    their order, with commas between them instead of fixed columns, as the banks' own web pages take it in.
    ``requester`` is the account that pays. The names of banks and branches are left to the bank, as is our
    number with it (振込依頼人コード). Texts are half-width and no field holds a comma.
    """
    own = requester or dict.fromkeys(_OWN, "")
    bank, branch, kind, number, holder = (own[name] for name in _OWN)
    rows = [["1", "21", "0", "", holder, f"{on:%m%d}", bank, "", branch, "", kind, number, ""]]
    rows += [_record(line) for line in lines]
    rows += [["8", str(len(lines)), str(sum(line.amount_yen for line in lines)), ""], ["9", ""]]
    return "".join(",".join(row) + "\r\n" for row in rows)


def offset_of(via: str, commission_yen: int, commission_tax_yen: int) -> int:
    """Return what the provider of an earning owes for it: the commission where the buyer paid the provider."""
    return commission_yen + commission_tax_yen if via == Via.OUTSIDE else 0


def _record(line: TransferLine) -> list[str]:
    bank, branch, kind, number, holder = (line.account[name] for name in _OWN)
    # 新規コード 0: no first transfer is told of as such. 振込指定区分 7: by wire (テレ振込).
    return ["2", bank, "", branch, "", "", kind, number, holder, str(line.amount_yen), "0", "", "", "7", "", ""]


def _is_digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def _is_bank_sign(sign: str) -> bool:
    return sign in _HOLDER_SIGNS or "ｦ" <= sign <= "ﾟ"


def _half_width() -> dict[str, str]:
    """Map each full-width katakana to its half-width signs: what NFKC would make it out of."""
    halves = [chr(code) for code in range(0xFF66, 0xFF9E)]
    single = {unicodedata.normalize("NFKC", half): half for half in halves}
    marked = {
        unicodedata.normalize("NFKC", half + mark): half + mark
        for half in halves
        for mark in "ﾞﾟ"
        if len(unicodedata.normalize("NFKC", half + mark)) == 1
    }
    return single | marked | {"「": "｢", "」": "｣", "ー": "-", "゛": "ﾞ", "゜": "ﾟ", "・": "."}


_HALF = _half_width()
