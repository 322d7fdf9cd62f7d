"""What is refused of the gateway's movements."""

from marketplace.kit.errors import Conflict, Invalid, NotFound


class MovementNotFound(NotFound):
    """No such movement of the gateway's balance."""

    slug = "movement-not-found"
    title, title_ja = "Movement not found", "入出金の記録が見つかりません"
    cause = "No movement of the payment gateway's balance has this id."
    cure = (
        "Take the id from `marketplace balance list`; what the gateway has just moved is read by the next `reconcile`."
    )
    cause_ja = "決済代行の口座に、このIDの入出金はありません。"
    cure_ja = "`marketplace balance list` からIDを選んでください。直近の入出金は、次の `reconcile` で読み取られます。"


class MovementNotInSuspense(Conflict):
    """A movement that nobody has to explain."""

    slug = "movement-not-in-suspense"
    title, title_ja = "Movement is not in suspense", "この入出金は仮勘定にありません"
    cause = "The movement is `waiting` for its posting, or has found what it belongs to."
    cure = "Leave it: only what `marketplace balance list` shows in suspense is for the operator to explain."
    cause_ja = "この入出金は仕訳を待っているか、すでに該当する仕訳と結び付いています。"
    cure_ja = "そのままにしてください。運営者が説明するのは、`marketplace balance list` で仮勘定にあるものだけです。"


class AccountNotCorrectable(Invalid):
    """An account on which no movement is booked by hand."""

    slug = "account-not-correctable"
    title, title_ja = "Account not open to corrections", "この勘定には訂正を記帳できません"
    cause = "No movement is booked by hand on this account; the detail says why."
    cure = "Name an account that the operator keeps, such as Expenses:PaymentProcessing, without its currency."
    cause_ja = "この勘定には、入出金を手作業で記帳できません。理由は detail にあります。"
    cure_ja = "Expenses:PaymentProcessing など、運営者が管理する勘定を、通貨を付けずに指定してください。"


class MovementsNoExchange(Conflict):
    """Two movements that are not the two sides of one exchange into yen."""

    slug = "movements-no-exchange"
    title, title_ja = "Not the two sides of an exchange", "両替の両側ではありません"
    cause = "The first movement does not take money of another currency away, or the second brings no yen."
    cure = "Name the movement that took the foreign money first, then the one that brought the yen."
    cause_ja = "一つ目の入出金が外貨の出金でないか、二つ目が円の入金ではありません。"
    cure_ja = "外貨が出た入出金を先に、円が入った入出金を後に指定してください。"
