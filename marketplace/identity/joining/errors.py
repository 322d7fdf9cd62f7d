"""What joining refuses."""

from marketplace.kit.errors import Conflict, Invalid, Refusal


class ApplicationsTooFrequent(Refusal):
    """One network address sends more applications than people do."""

    slug, status = "applications-too-frequent", 429
    title, title_ja = "Too many applications from here", "この接続元からの申請が多すぎます"
    cause = "Many applications came from this network address within ten minutes."
    cure = "Wait for the seconds in Retry-After, and apply again."
    cause_ja = "このネットワークアドレスから、10分以内に多数の申請が送られました。"
    cure_ja = "Retry-Afterの秒数だけ待ってから、もう一度申請してください。"


class ApplicationNotAssessed(Conflict):
    """An approval before the public registers were looked up."""

    slug = "application-not-assessed"
    title, title_ja = "The registers are being looked up", "公表情報を照会中です"
    cause = "The public registers are still being looked up for this application."
    cure = "Wait a moment and read the application again; it can be approved once its `risk` is there."
    cause_ja = "この申請について、国税庁の公表情報をまだ照会しています。"
    cure_ja = "少し待って申請をもう一度読み取ってください。risk が付けば承認できます。"


class ApprovalReasonMissing(Invalid):
    """An application of high risk approved without saying why."""

    slug = "approval-reason-missing"
    title, title_ja = "Reason missing", "承認の理由が必要です"
    cause = "An application of high risk is approved for a stated reason of 1 to 1000 characters."
    cure = "Send `reason`: what was looked at, and why that suffices."
    cause_ja = "リスクの高い申請の承認には、1〜1000文字の理由が必要です。"
    cure_ja = "何を確認し、なぜ十分と判断したかを reason に書いて送ってください。"


class SecondReviewerNeeded(Conflict):
    """Somebody approves an application of high risk for the second time: four eyes are of two people."""

    slug = "second-reviewer-needed"
    title, title_ja = "A second person must approve", "別の担当者の承認が必要です"
    cause = "You have approved this application already; one of high risk is approved by two different people."
    cure = "Ask another owner or reviewer of the operator to look at it and approve it."
    cause_ja = "あなたはすでにこの申請を承認しています。リスクの高い申請は、二人の担当者が承認します。"
    cure_ja = "運営者の別の管理者または審査担当に、確認と承認を依頼してください。"
