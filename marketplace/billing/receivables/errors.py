"""What a buyer who wants to pay afterwards is refused."""

from marketplace.kit.errors import Conflict


class CreditExhausted(Conflict):
    """An order on invoice that would make the buyer owe more than its limit."""

    slug = "credit-exhausted"
    title, title_ja = "Credit limit reached", "与信限度額を超えます"
    cause = "With this order your organization would owe more than `credit_limit_yen`; `owed_yen` is open already."
    cure = "Pay open invoices first, choose another way to pay, or ask the operator for a higher limit."
    cause_ja = "この注文で未払いの合計が与信限度額（`credit_limit_yen`）を超えます。現在の未払いは `owed_yen` です。"
    cure_ja = "先に未払いの請求書を支払うか、別の支払方法を選ぶか、運営者に限度額の引き上げを依頼してください。"


class InvoicesOverdue(Conflict):
    """An order on credit while an invoice is overdue."""

    slug = "invoices-overdue"
    title, title_ja = "Invoices overdue", "支払期限を過ぎた請求書があります"
    cause = "Your organization has not paid the invoices in `invoices` in time, so it buys nothing more on credit."
    cure = "Pay them, or choose a way to pay at once."
    cause_ja = "貴組織は `invoices` の請求書を期限までに支払っていないため、後払いでは購入できません。"
    cure_ja = "該当の請求書を支払うか、前払いの支払方法を選んでください。"


class NothingUnapplied(Conflict):
    """Unapplied money that is not there is to pay an invoice."""

    slug = "nothing-unapplied"
    title, title_ja = "No such money on hand", "充当できる預り金がありません"
    cause = "Less than this amount of the payer's money is unapplied; `unapplied_yen` is."
    cure = "Name an amount up to `unapplied_yen`."
    cause_ja = "この支払者の未充当金は、指定の金額に足りません。残高は `unapplied_yen` です。"
    cure_ja = "`unapplied_yen` 以下の金額を指定してください。"
