"""What refunds refuse."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, NotFound


class RefundNotFound(NotFound):
    """No such refund for this caller."""

    slug = "refund-not-found"
    title, title_ja = "Refund not found", "返金が見つかりません"
    cause = "No refund with this id has your organization as a party."
    cure = "List your refunds and take the id from there."
    cause_ja = "貴組織が当事者である、このIDの返金はありません。"
    cure_ja = "返金の一覧を取得し、そこからIDを選んでください。"


class RefundTooLarge(Invalid):
    """More is asked back than is left of what was invoiced."""

    slug = "refund-too-large"
    title, title_ja = "Refund too large", "返金額が大きすぎます"
    cause = "The amount is more than what is left of this invoice after earlier refunds, or not above zero."
    cure = "Read `left_yen` in this answer, and ask for that much at most."
    cause_ja = "金額がゼロ以下か、これまでの返金を差し引いた請求書の残額を超えています。"
    cure_ja = "この応答の left_yen を確認し、その額までで依頼してください。"


class RefundNotYours(Forbidden):
    """Only the provider of a sale and the operator give its money back."""

    slug = "refund-not-yours"
    title, title_ja = "Only the provider or the operator refunds", "返金は提供者か運営者だけが行えます"
    cause = "You may see this invoice, but only its provider or the operator of the exchange may refund it."
    cure = "Ask the provider, or cancel the order if its terms allow that."
    cause_ja = "この請求書を見ることはできますが、返金できるのは提供者と取引所の運営者だけです。"
    cure_ja = "提供者に依頼するか、条件が許せば注文を解約してください。"


class RefundConflict(Conflict):
    """The key of a refund was used for another one."""

    slug = "refund-conflict"
    title, title_ja = "Refund key reused", "返金のキーが重複しています"
    cause = "A refund with this key exists with another amount, invoice or reason."
    cure = "Use a fresh key for a new refund; repeat the exact request to get the first one again."
    cause_ja = "このキーの返金は、別の金額・請求書・理由ですでに存在します。"
    cure_ja = "新しい返金には新しいキーを使ってください。最初の返金を得るには、同じ要求を送ってください。"


class RefundNotByBank(Conflict):
    """Only a refund that goes out of the bank account is noted by hand."""

    slug = "refund-not-by-bank"
    title, title_ja = "Not a refund by bank transfer", "銀行振込による返金ではありません"
    cause = "This refund is the gateway's to report, or has ended already."
    cure = "Read the refund: its way and state say who moves it next."
    cause_ja = "この返金は決済事業者から報告されるものか、すでに終わっています。"
    cure_ja = "返金の way と state を確認してください。次に動かす者が示されています。"


class RefundDisputed(Conflict):
    """While the buyer's bank holds the money, none of it is given back besides."""

    slug = "refund-disputed"
    title, title_ja = "The payment is disputed", "支払いに異議が申し立てられています"
    cause = "A payment of this invoice is disputed; the bank of the buyer holds its money and decides about it."
    cure = "Wait until `GET /v1/disputes` shows the dispute as won or lost, then ask again."
    cause_ja = "この請求書の支払いには異議が申し立てられており、購入者の銀行が金額を保留して判断しています。"
    cure_ja = "GET /v1/disputes で異議が won または lost になるまで待ってから、もう一度依頼してください。"
