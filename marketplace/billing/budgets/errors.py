"""What budgets refuse."""

from marketplace.kit.errors import Conflict, Forbidden


class BudgetExhausted(Forbidden):
    """A budget of the buyer's own has not enough left for what was asked."""

    slug = "budget-exhausted"
    title, title_ja = "Budget exhausted", "予算の上限に達しています"
    cause = (
        "What this download could cost, or this order costs, does not fit into a budget that your organization has "
        "set: the members say which one, how much of it is left, and how much is held by downloads still running."
    )
    cure = (
        "Ask for a smaller range, wait until running downloads have ended or the next month begins in Japan, or have "
        "an owner or finance member raise the budget. Bytes that you have received before cost nothing again."
    )
    cause_ja = (
        "このダウンロードの料金の見込み、またはこの注文の金額は、貴組織の定めた予算に収まりません。"
        "どの予算か、その残額、進行中のダウンロードに確保された額を、各項目が示します。"
    )
    cure_ja = (
        "より小さい範囲を求めるか、進行中のダウンロードの終了や翌月（日本時間）を待つか、"
        "管理者または経理担当者に予算の引き上げを求めてください。受け取り済みのバイトに、再び課金されることはありません。"
    )


class BudgetsFull(Conflict):
    """The organization has as many budgets as it may have."""

    slug = "budgets-full"
    title, title_ja = "Too many budgets", "予算の数が上限に達しています"
    cause = "Each download counts against every budget it belongs to, so an organization has a limited number of them."
    cure = "Change or remove a budget that you have."
    cause_ja = "ダウンロードは該当するすべての予算に計上されるため、一つの組織が設けられる予算の数には上限があります。"
    cure_ja = "既存の予算を変更するか、削除してください。"


class BudgetStale(Conflict):
    """An update of a version of a budget that is no longer the current one (RFC 9110 section 13.1.1)."""

    slug, status = "budget-stale", 412
    title, title_ja = "Budget changed meanwhile", "予算が変更されています"
    cause = "Someone changed the budget after you read it; `version` is the present one."
    cure = "Read the budget again and send your change with its present ETag in If-Match."
    cause_ja = "読み取った後に、誰かが予算を変更しました。version が現在の版です。"
    cure_ja = "予算をもう一度読み取り、現在のETagをIf-Matchに付けて変更を送ってください。"
