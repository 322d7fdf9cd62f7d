"""What metering refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Refusal


class QuotaExhausted(Forbidden):
    """The grant has not enough left for what was asked."""

    slug = "quota-exhausted"
    title, title_ja = "Quota exhausted", "利用上限に達しています"
    cause = (
        "The bytes, downloads, rows or requests that this grant includes are used up, "
        "or held by downloads still running."
    )
    cure = (
        "Ask for a smaller range, wait until running downloads have ended, or order the offer again. "
        "Bytes of this grant that you have received before cost nothing again."
    )
    cause_ja = (
        "この利用権に含まれるバイト数、回数、行数またはリクエスト数は使い切られたか、"
        "進行中のダウンロードに確保されています。"
    )
    cure_ja = (
        "より小さい範囲を求めるか、進行中のダウンロードの終了を待つか、もう一度注文してください。"
        "この利用権で受け取り済みのバイトに、再び課金されることはありません。"
    )


class DeliveryStillOpen(Conflict):
    """A receipt or a correction was asked for of a delivery that has not ended."""

    slug = "delivery-still-open"
    title, title_ja = "The delivery has not ended yet", "配信はまだ終わっていません"
    cause = "Receipts and corrections are of deliveries that ended; this one still runs, or its end is not counted yet."
    cure = "Ask again when the download has ended; one that broke off is closed within two minutes."
    cause_ja = (
        "受領証と訂正は終わった配信についてのものです。この配信はまだ続いているか、終わりがまだ計量されていません。"
    )
    cure_ja = "ダウンロードの終了後にもう一度求めてください。途切れたものは2分以内に閉じられます。"


class TooManyStreams(Forbidden):
    """As many downloads as the offer allows at once are running under the grant."""

    slug = "too-many-streams"
    title, title_ja = "Too many downloads at once", "同時ダウンロード数の上限に達しています"
    cause = "The offer of this grant allows a number of downloads at the same time, and that many are running."
    cure = "Wait until one of them has ended; one that broke off is closed within two minutes."
    cause_ja = "この利用権のオファーは同時に行えるダウンロードの数を定めており、その数のダウンロードが進行中です。"
    cure_ja = "どれかが終わるまで待ってください。途切れたものは2分以内に閉じられます。"


class RateLimited(Refusal):
    """A grant asks more often than operator or provider allow in a minute (RFC 6585 section 4)."""

    slug, status = "rate-limited", 429
    title, title_ja = "Too many requests in this minute", "1分あたりのリクエスト数の上限に達しています"
    cause = "Each grant is allowed a number of requests a minute, and they were made. Nothing was charged."
    cure = "Send the same request again after the seconds in Retry-After; RateLimit says how many are left."
    cause_ja = "利用権ごとに定められた1分あたりのリクエスト数に達しました。料金は発生していません。"
    cure_ja = "Retry-After の秒数の後に、同じ要求を送ってください。残りの回数は RateLimit に示されます。"


class CorrectionTooLarge(Conflict):
    """A correction would leave less than nothing of a delivery's usage, or more than one request."""

    slug = "correction-too-large"
    title, title_ja = "The correction is too large", "訂正の量が大きすぎます"
    cause = "With it the delivery would come to less than nothing, or to more than one request."
    cure = "Read the delivery's usage and its corrections, and take off no more than is left of them."
    cause_ja = "この訂正により、配信の利用量が負になるか、2リクエスト以上になります。"
    cure_ja = "配信の利用量とこれまでの訂正を確認し、残りの範囲内で訂正してください。"


class CorrectionContradicted(Conflict):
    """A correction comes again under its reference, and says something else."""

    slug = "correction-contradicted"
    title, title_ja = "Another correction has this reference", "この参照番号の訂正は既にあります"
    cause = "A correction of this delivery with this reference was taken before and said something else; it stands."
    cure = "Send it again as it was, or another correction under a reference of its own."
    cause_ja = "この配信について、同じ参照番号で内容の異なる訂正が既に受け付けられています。先の訂正が有効です。"
    cure_ja = "再送では同じ内容を送り、別の訂正には別の参照番号を付けてください。"


class UsagePutAside(Conflict):
    """The usage of that month was put aside."""

    slug = "usage-put-aside"
    title, title_ja = "The usage of that month was put aside", "その月の利用量は保管済みです"
    cause = "Single events are kept for a time that the operator sets; of older months the sums by the hour remain."
    cure = "Give money back by a refund instead."
    cause_ja = "個々の利用記録は運営者が定める期間だけ保持され、それより古い月は1時間ごとの合計だけが残ります。"
    cure_ja = "訂正の代わりに返金してください。"


class CorrectionNotYours(Forbidden):
    """Who corrects is neither the provider of the delivery, taking off, nor the operator."""

    slug = "correction-not-yours"
    title, title_ja = "Not yours to correct", "この訂正を行う権限がありません"
    cause = "A provider takes off usage of what it delivered itself; only the operator adds to usage."
    cure = "Take off only, from a delivery of yours, or ask the operator with your evidence."
    cause_ja = "提供者は自ら配信したものの利用量を減らすことだけができ、増やせるのは運営者だけです。"
    cure_ja = "自組織の配信の利用量を減らす訂正とするか、根拠を添えて運営者に依頼してください。"


class AgentBudgetMissing(Forbidden):
    """Nobody of the organization has said how much agents may fetch."""

    slug = "agent-budget-missing"
    title, title_ja = "No budget for agents", "エージェントの予算が設定されていません"
    cause = "Agents fetch data only within a budget that a person of your organization has set, and there is none."
    cure = "Have an owner or finance member set one at /organization/agents, signed in with a browser."
    cause_ja = "エージェントは、貴組織の人が設定した予算の範囲でのみデータを取得できますが、予算が設定されていません。"
    cure_ja = "所有者または経理担当者が、ブラウザーでサインインし、/organization/agents で設定してください。"


class AgentBudgetExhausted(Forbidden):
    """What agents may fetch in a day is used up, or would be by this."""

    slug = "agent-budget-exhausted"
    title, title_ja = "Budget for agents exhausted", "エージェントの予算が不足しています"
    cause = "This would pass the bytes or the yen that a person of your organization lets agents fetch in a day."
    cure = "Ask for fewer rows or columns, wait until tomorrow (Japan), or have a person raise the budget."
    cause_ja = "貴組織の人がエージェントに許した一日のバイト数または金額を超えます。"
    cure_ja = "行や列を減らすか、翌日（日本時間）まで待つか、予算の引上げを担当者に依頼してください。"


class AgentBudgetNeedsPerson(Forbidden):
    """A program would set the budget that is to bound it."""

    slug = "agent-budget-needs-person"
    title, title_ja = "A person sets this budget", "この予算は人が設定します"
    cause = "The budget of agents is set by a person of the organization, and not by a program."
    cure = "Sign in with a browser and set it at /organization/agents."
    cause_ja = "エージェントの予算は、プログラムではなく、組織の人が設定するものです。"
    cure_ja = "ブラウザーでサインインし、/organization/agents で設定してください。"
