"""What access refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class GrantMissing(Forbidden):
    """No grant of the caller's opens what everybody may know of."""

    slug = "grant-missing"
    title, title_ja = "No grant opens this", "利用権がありません"
    cause = "The dataset is public, and none of your organization's grants opens this file."
    cure = "Order an offer of the dataset; its page says which there are. Data that is free is ordered as well."
    cause_ja = "このデータセットは公開されていますが、貴組織にはこのファイルの利用権がありません。"
    cure_ja = "データセットのページにある提供条件から注文してください。無償のデータも注文が必要です。"


class GrantExpired(Forbidden):
    """The time of the grant has run out; told only to its owner."""

    slug = "grant-expired"
    title, title_ja = "Grant expired", "利用権の期限が切れています"
    cause = "The time for which this grant was bought has run out."
    cure = "Order the offer again; a new grant is issued once it is paid."
    cause_ja = "この利用権を購入した期間は終わりました。"
    cure_ja = "もう一度注文してください。支払い後に新しい利用権が発行されます。"


class GrantRevoked(Forbidden):
    """The grant was revoked; told only to its owner."""

    slug = "grant-revoked"
    title, title_ja = "Grant revoked", "利用権は取り消されています"
    cause = "The provider or the operator has revoked this grant; `GET /v1/grants/{id}` states the reason."
    cure = "Write to the provider; the contact stands in the dataset's record."
    cause_ja = "提供者または運営者がこの利用権を取り消しました。理由は GET /v1/grants/{id} にあります。"
    cure_ja = "提供者に連絡してください。連絡先はデータセットの記録にあります。"


class GrantSuspended(Forbidden):
    """The grant rests while a dispute or an overdue invoice stands; told only to its owner."""

    slug = "grant-suspended"
    title, title_ja = "Grant suspended", "利用権は停止されています"
    cause = "The payment of this grant is disputed, or its invoice is overdue."
    cure = "Pay the overdue invoice or end the dispute; the grant then opens again by itself."
    cause_ja = "この利用権の支払いに異議が申し立てられているか、請求書の支払期限が過ぎています。"
    cure_ja = "請求書を支払うか、異議を取り下げてください。その後、利用権は自動的に再開します。"


class CopyInTheMaking(Unavailable):
    """The grant's own copy of a file is not made yet; told only to those who may see the grant."""

    slug = "copy-in-the-making"
    title, title_ja = "Your copy is being made", "専用の写しを作成中です"
    cause = "By the terms each grant has a copy of its own, which is being made; that takes seconds, minutes at most."
    cure = "Send the same request again after the seconds in Retry-After."
    cause_ja = "利用条件により利用権ごとに専用の写しがあり、現在作成中です。数秒から数分で終わります。"
    cure_ja = "Retry-Afterの秒数の後に、同じ要求を送ってください。"


class PartNotPossible(Forbidden):
    """The terms give a part of each table, and of this file it cannot be made; told only to the grant's owner."""

    slug = "part-not-possible"
    title, title_ja = "The part that the terms give cannot be made", "条件に定めた部分を提供できません"
    cause = "The terms give certain columns or rows alone, and of this file that part cannot be made: it is not opened."
    cure = "Tell the provider what the detail says; a corrected release or offer opens it."
    cause_ja = "利用条件は一部の列や行だけを提供するもので、このファイルからはその部分を作成できないため、開けません。"
    cure_ja = "detailの内容を提供者に伝えてください。版または提供条件が訂正されれば取得できます。"


class TicketUnknown(NotFound):
    """No ticket has this secret, or its time is over, or whoever asked for it is shut out: nobody can tell which."""

    slug = "ticket-unknown"
    title, title_ja = "No such ticket", "このチケットは使えません"
    cause = "The ticket does not exist, was not begun within 60 seconds, or has been resumable for 15 minutes."
    cure = "Ask for another with `POST /v1/grants/{id}/tickets`, and begin within 60 seconds."
    cause_ja = "このチケットは存在しないか、60秒以内に使い始められなかったか、再開できる15分間が過ぎました。"
    cure_ja = "POST /v1/grants/{id}/tickets で新しいチケットを取得し、60秒以内に使い始めてください。"


class RevocationNotYours(Forbidden):
    """A party to the grant, or an auditor, tried to revoke what only provider and operator may."""

    slug = "revocation-not-yours"
    title, title_ja = "Only the provider or the operator revokes a grant", "利用権の取消は提供者か運営者だけが行えます"
    cause = "You may see this grant, but only its provider or the operator of the exchange may revoke it."
    cure = "Ask the provider; a buyer who no longer wants a grant can simply let it lie."
    cause_ja = "この利用権を見ることはできますが、取り消せるのは提供者と取引所の運営者だけです。"
    cure_ja = "提供者に依頼してください。不要になった購入者は、そのまま使わずにおくだけで構いません。"


class ReasonMissing(Invalid):
    """A grant is revoked for a stated reason, or not at all."""

    slug = "revocation-reason-missing"
    title, title_ja = "Reason missing", "理由が必要です"
    cause = "A grant is only revoked for a reason of 1 to 1000 characters, which the buyer can read."
    cure = "Send `reason` with a sentence the buyer will understand."
    cause_ja = "利用権の取消しには、購入者が読める1〜1000文字の理由が必要です。"
    cure_ja = "購入者に伝わる文を reason に入れて送ってください。"


class TriedAlready(Conflict):
    """A second trial of one dataset by one organization."""

    slug = "tried-already"
    title, title_ja = "Tried already", "試用済みです"
    cause = "Your organization has tried this dataset before, in the order `order_id`; each organization tries it once."
    cure = "Fetch with the grant of that order while it lasts, or order an offer of the dataset."
    cause_ja = "貴組織はこのデータセットをすでに試用しています(注文 order_id)。試用は一組織につき一度です。"
    cure_ja = "期限内であればその注文の利用権で取得できます。続けて使うには、提供条件から注文してください。"
