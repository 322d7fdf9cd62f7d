"""What is refused of bank transfers."""

from marketplace.kit.errors import Conflict, Invalid, NotFound


class BankFileUnreadable(Invalid):
    """A bank statement that does not say clearly what came in."""

    slug = "bank-file-unreadable"
    title, title_ja = "Bank file cannot be read", "入出金明細を読み取れません"
    cause = (
        "The file is no CSV in UTF-8 or CP932 with a header of date and amount, or the rows in `errors` are unclear."
    )
    cure = "Export it again from the bank, or mend the named rows; nothing of the file was taken in."
    cause_ja = "日付と金額の見出しを持つCSV(UTF-8またはCP932)ではないか、errors の行が不明確です。"
    cure_ja = "銀行から再度出力するか、該当の行を直してください。このファイルからは何も取り込まれていません。"


class BankLineNotFound(NotFound):
    """No such bank line."""

    slug = "bank-line-not-found"
    title, title_ja = "Bank line not found", "入金明細が見つかりません"
    cause = "No bank line has this id."
    cure = "List the bank lines and take the id from there."
    cause_ja = "このIDの入金明細はありません。"
    cure_ja = "入金明細の一覧を取得し、そこからIDを選んでください。"


class BankLineSettled(Conflict):
    """A bank line whose money is no longer where this deed would take it from."""

    slug = "bank-line-settled"
    title, title_ja = "Bank line is settled", "この入金明細は処理済みです"
    cause = "The money of this line is in `state`: it no longer waits to be assigned or returned."
    cure = "Read the line; money that paid an invoice by mistake is given back by a refund."
    cause_ja = "この明細の入金は state の状態にあり、割当てや返金を待つ状態にありません。"
    cure_ja = "明細を読み取ってください。誤って請求書に充てた入金は、返金の手続きで戻します。"


class VirtualAccountsUsedUp(Conflict):
    """The pool of virtual accounts is empty."""

    slug = "virtual-accounts-used-up"
    title, title_ja = "No virtual account left", "割り当てられる仮想口座がありません"
    cause = "Every virtual account of the pool belongs to a buyer already, or the operator has added none."
    cure = "Ask the operator to add numbers with `marketplace bank accounts`; until then name the invoice's number."
    cause_ja = "仮想口座はすべて割当て済みか、運営者が登録していません。"
    cure_ja = (
        "運営者に `marketplace bank accounts` での追加を依頼し、それまでは請求書番号を記入して振り込んでください。"
    )
