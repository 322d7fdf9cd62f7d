"""What billing refuses."""

from marketplace.kit.errors import Conflict, Invalid, NotFound, Refusal, Unavailable


class OrderNotFound(NotFound):
    """No such order for this caller."""

    slug = "order-not-found"
    title, title_ja = "Order not found", "注文が見つかりません"
    cause = "No order with this id has your organization as a party."
    cure = "List your orders and take the id from there."
    cause_ja = "貴組織が当事者である、このIDの注文はありません。"
    cure_ja = "注文の一覧を取得し、そこからIDを選んでください。"


class InvoiceNotFound(NotFound):
    """No such invoice for this caller."""

    slug = "invoice-not-found"
    title, title_ja = "Invoice not found", "請求書が見つかりません"
    cause = "No invoice with this id has your organization as a party."
    cure = "List your invoices and take the id from there."
    cause_ja = "貴組織が当事者である、このIDの請求書はありません。"
    cure_ja = "請求書の一覧を取得し、そこからIDを選んでください。"


class PaymentUnknown(NotFound):
    """A gateway event names a payment that we do not hold (yet)."""

    slug = "payment-unknown"
    title, title_ja = "Payment unknown", "該当する支払いがありません"
    cause = "The payment that this event belongs to is not in our books, or not yet."
    cure = "Nothing is lost: the event stays in the inbox and is tried again."
    cause_ja = "このイベントの属する支払いは、帳簿にないか、まだありません。"
    cure_ja = "失われたものはありません。イベントは受信箱に残り、再度処理されます。"


class InvoiceNotPayable(Conflict):
    """An invoice that is paid already cannot be paid again."""

    slug = "invoice-not-payable"
    title, title_ja = "Invoice cannot be paid", "この請求書は支払い済みです"
    cause = "The invoice is not open."
    cure = "Read the invoice: it names when it was paid."
    cause_ja = "この請求書は未払いの状態にありません。"
    cure_ja = "請求書を読み取ってください。支払日が示されています。"


class LedgerConflict(Conflict):
    """One idempotency key, two different ledger transactions."""

    slug = "ledger-conflict"
    title, title_ja = "Ledger key already used", "この仕訳キーは別の内容で使用済みです"
    cause = "A ledger transaction with this key exists and says something else."
    cure = "Post the correction under a key of its own; booked transactions never change."
    cause_ja = "このキーの仕訳はすでにあり、内容が異なります。"
    cure_ja = "訂正を別のキーで記帳してください。記帳済みの仕訳は変更されません。"


class ReversalTooLarge(Conflict):
    """More is to be taken back of a sale than is left of it."""

    slug = "reversal-too-large"
    title, title_ja = "More than is left of the sale", "販売の残額を超えています"
    cause = "What was paid for this sale has been given back before, wholly or so far that only `left_yen` are left."
    cure = "Give back at most `left_yen`, tax included."
    cause_ja = "この販売の代金は、すでに全部または一部が返金されており、残額は left_yen 円です。"
    cure_ja = "返金額を、税込みで left_yen 円以下にしてください。"


class NotRestorable(Conflict):
    """A reversal that does not exist, or was undone already, cannot be undone."""

    slug = "not-restorable"
    title, title_ja = "Reversal cannot be undone", "この取消しは元に戻せません"
    cause = "No reversal has this key, or another booking has undone it already."
    cure = "Read the ledger transactions of the order or invoice: they show what was taken back and restored."
    cause_ja = "このキーの取消しはないか、別の仕訳がすでに元に戻しています。"
    cure_ja = "注文または請求書の仕訳を読み取ってください。取り消された分と戻された分が示されています。"


class InvoiceConflict(Conflict):
    """One idempotency key, two different invoices."""

    slug = "invoice-conflict"
    title, title_ja = "Invoice key already used", "この請求キーは別の内容で使用済みです"
    cause = "An invoice with this key was issued and says something else."
    cure = "Issue the difference under a key of its own; issued invoices never change."
    cause_ja = "このキーの請求書はすでに発行され、内容が異なります。"
    cure_ja = "差額を別のキーで発行してください。発行済みの請求書は変更されません。"


class UsageAlreadyRated(Conflict):
    """Another settlement has billed these bytes."""

    slug = "usage-already-rated"
    title, title_ja = "Usage already billed", "この利用量は請求済みです"
    cause = "Another settlement billed this stretch of the grant's usage at the same time."
    cure = "Run the settlement again: it takes up what is still unbilled."
    cause_ja = "別の精算が、この利用権の同じ部分を同時に請求しました。"
    cure_ja = "もう一度精算してください。まだ請求されていない分が処理されます。"


class ForeignReturnUrl(Invalid):
    """The payer may only be sent back to this exchange."""

    slug = "foreign-return-url"
    title, title_ja = "Return address is not ours", "戻り先URLが当取引所のものではありません"
    cause = "Success and cancel addresses must lie on this exchange's own origin."
    cure = "Leave the address out, or give one under the exchange's base URL."
    cause_ja = "支払後と取消後の戻り先は、この取引所自身のオリジンになければなりません。"
    cure_ja = "アドレスを省くか、取引所のURLの下のアドレスを指定してください。"


class GatewayUnavailable(Unavailable):
    """The payment gateway does not answer, or asks us to slow down."""

    slug = "gateway-unavailable"
    title, title_ja = "Payment gateway unavailable", "決済サービスが応答しません"
    cause = "The payment gateway did not answer in time, failed, or asked us to slow down; nothing was charged twice."
    cure = "Send the same request again, with the same Idempotency-Key, after a moment."
    cause_ja = "決済事業者が時間内に応答しないか、失敗したか、頻度を下げるよう求めました。二重の請求はありません。"
    cure_ja = "しばらくしてから、同じ要求を同じIdempotency-Keyで送ってください。"


class GatewayFailureKept(GatewayUnavailable):
    """The gateway failed under this key, and says so again each time: it keeps even a failure for 24 hours."""


class GatewayMisconfigured(Unavailable):
    """The payment gateway does not accept our key."""

    slug = "gateway-misconfigured"
    title, title_ja = "Payment gateway refuses our key", "決済サービスの設定に誤りがあります"
    cause = "The payment gateway rejected the exchange's own credentials or their rights."
    cure = "Tell the operator: STRIPE_API_KEY is wrong, revoked, or lacks a permission."
    cause_ja = "決済事業者が、取引所自身の認証情報またはその権限を拒否しました。"
    cure_ja = "運営者に伝えてください。STRIPE_API_KEYが誤っているか、失効したか、権限が不足しています。"


class GatewayObjectMissing(NotFound):
    """The gateway no longer knows, or never knew, the object."""

    slug = "gateway-object-missing"
    title, title_ja = "Unknown to the payment gateway", "決済サービスに該当データがありません"
    cause = "The payment gateway does not know this session, payment or event."
    cure = "Check that the key belongs to the account that made the payment."
    cause_ja = "決済事業者は、このセッション、支払い、またはイベントを知りません。"
    cure_ja = "キーが、支払いを行ったアカウントのものかを確かめてください。"


class GatewayRefused(Invalid):
    """The payment gateway does not accept the request."""

    slug = "gateway-refused"
    title, title_ja = "Refused by the payment gateway", "決済サービスが要求を拒否しました"
    cause = "The payment gateway refused the request; `code` is the gateway's own word for why."
    cure = "Read `code`: `amount_too_small` for instance means that the price is below the card minimum."
    cause_ja = "決済事業者が要求を拒否しました。code は決済事業者の示す理由です。"
    cure_ja = "code を読んでください。たとえば amount_too_small は、価格がカードの最低額を下回ることを意味します。"


class PaymentDeclined(Refusal):
    """The card or account was declined."""

    slug, status = "payment-declined", 402
    title, title_ja = "Payment declined", "支払いが承認されませんでした"
    cause = "The payer's bank or card issuer declined the payment; `code` is their reason."
    cure = "Use another card, or ask the bank; nothing was charged."
    cause_ja = "支払者の銀行またはカード発行者が支払いを拒否しました。code はその理由です。"
    cure_ja = "別のカードを使うか、銀行に問い合わせてください。請求は発生していません。"


class IdempotencyKeyReused(Conflict):
    """The gateway has seen this key with another body."""

    slug = "gateway-key-reused"
    title, title_ja = "Payment key already used", "決済キーは別の内容で使用済みです"
    cause = "The payment gateway has seen this payment's key with other contents."
    cure = "Place the order anew: each payment carries a key of its own."
    cause_ja = "決済事業者は、この支払いのキーを別の内容で受け取ったことがあります。"
    cure_ja = "注文をやり直してください。支払いごとに固有のキーが付きます。"


class WebhookForged(Refusal):
    """A webhook whose signature does not fit its bytes."""

    slug, status = "webhook-forged", 400
    title, title_ja = "Webhook signature does not fit", "Webhookの署名が一致しません"
    cause = "No configured secret yields the signature of these exact bytes, or the signature is missing."
    cure = "Check STRIPE_WEBHOOK_SECRETS, and that nothing between Stripe and us rewrites the body."
    cause_ja = "設定されたどのシークレットからも、このバイト列の署名は得られないか、署名がありません。"
    cure_ja = "STRIPE_WEBHOOK_SECRETSを確かめ、Stripeとの間で本文が書き換えられていないかを確かめてください。"


class WebhookStale(Refusal):
    """A webhook signed too long ago, or in the future."""

    slug, status = "webhook-stale", 400
    title, title_ja = "Webhook out of its time window", "Webhookの時刻が許容範囲外です"
    cause = "The signed timestamp is more than 300 seconds away from our clock."
    cure = "Stripe signs each delivery anew: let it deliver again, and check the server's clock."
    cause_ja = "署名された時刻が、こちらの時計から300秒を超えてずれています。"
    cure_ja = "Stripeは送信ごとに署名します。再送を待ち、サーバーの時計を確かめてください。"


class WebhookMalformed(Refusal):
    """A signed body that is not a Stripe event."""

    slug, status = "webhook-malformed", 400
    title, title_ja = "Not a Stripe event", "Stripeのイベントではありません"
    cause = "The body is not a snapshot event with id, type, created, livemode and data.object."
    cure = "Point a snapshot event destination at this address, not a thin one."
    cause_ja = "本文が、id、type、created、livemode、data.object を持つスナップショットイベントではありません。"
    cure_ja = "このアドレスには、シンイベントではなくスナップショットイベントの送信先を設定してください。"


class WrongLivemode(Refusal):
    """A test event at a live exchange, or a live event at a test exchange."""

    slug, status = "wrong-livemode", 400
    title, title_ja = "Wrong livemode", "本番とテストのモードが一致しません"
    cause = "Test events must not settle live orders, nor live events test orders."
    cure = "Use the webhook secret and the API key of the same mode."
    cause_ja = "テストのイベントで本番の注文を、本番のイベントでテストの注文を決済してはなりません。"
    cure_ja = "同じモードのWebhookシークレットとAPIキーを使ってください。"
