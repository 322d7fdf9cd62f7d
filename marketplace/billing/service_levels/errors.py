"""What service levels refuse."""

from marketplace.kit.errors import Conflict, Invalid


class ServiceLevelConflict(Conflict):
    """A month of a dataset is measured once."""

    slug = "service-level-conflict"
    title, title_ja = "Month measured otherwise", "この月は別の値で測定済みです"
    cause = "This month of this dataset has a measurement with other content, from which credits have followed."
    cure = "Leave it; where it was wrong, refund the difference by hand: `POST /v1/invoices/{id}/refunds`."
    cause_ja = "このデータセットのこの月には、内容の異なる測定値がすでにあり、返金もそれに基づいて行われました。"
    cure_ja = "そのままにしてください。誤りであれば、差額を POST /v1/invoices/{id}/refunds で返金してください。"


class MonthNotOver(Invalid):
    """A service level is that of a whole month."""

    slug = "month-not-over"
    title, title_ja = "The month is not over", "月が終わっていません"
    cause = "The availability of a month is known when the month has ended in Japan."
    cure = "Send the measurement after the end of the month."
    cause_ja = "月間稼働率は、日本時間でその月が終わってから確定します。"
    cure_ja = "月が終わってから測定値を送ってください。"
