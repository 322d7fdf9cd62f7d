"""What billing refuses."""

from marketplace.kit.errors import Conflict, Invalid, NotFound, Refusal, Unavailable


class OrderNotFound(NotFound):
    """No such order for this caller."""

    slug = "order-not-found"
    title, title_ja = "Order not found", "注文が見つかりません"
    cause = "No order with this id has your organization as a party."
    cure = "List your orders and take the id from there."


class InvoiceNotFound(NotFound):
    """No such invoice for this caller."""

    slug = "invoice-not-found"
    title, title_ja = "Invoice not found", "請求書が見つかりません"
    cause = "No invoice with this id has your organization as a party."
    cure = "List your invoices and take the id from there."


class PaymentUnknown(NotFound):
    """A gateway event names a payment that we do not hold (yet)."""

    slug = "payment-unknown"
    title, title_ja = "Payment unknown", "該当する支払いがありません"
    cause = "The payment that this event belongs to is not in our books, or not yet."
    cure = "Nothing is lost: the event stays in the inbox and is tried again."


class OrderNotPayable(Conflict):
    """An order that is paid already, or closed, cannot be paid."""

    slug = "order-not-payable"
    title, title_ja = "Order cannot be paid", "この注文は支払いできません"
    cause = "The order is not awaiting payment."
    cure = "Read the order: if it failed or expired, place a new one; if it is paid, fetch its grant."


class InvoiceNotPayable(Conflict):
    """An invoice that is paid already cannot be paid again."""

    slug = "invoice-not-payable"
    title, title_ja = "Invoice cannot be paid", "この請求書は支払い済みです"
    cause = "The invoice is not open."
    cure = "Read the invoice: it names when it was paid."


class LedgerConflict(Conflict):
    """One idempotency key, two different ledger transactions."""

    slug = "ledger-conflict"
    title, title_ja = "Ledger key already used", "この仕訳キーは別の内容で使用済みです"
    cause = "A ledger transaction with this key exists and says something else."
    cure = "Post the correction under a key of its own; booked transactions never change."


class InvoiceConflict(Conflict):
    """One idempotency key, two different invoices."""

    slug = "invoice-conflict"
    title, title_ja = "Invoice key already used", "この請求キーは別の内容で使用済みです"
    cause = "An invoice with this key was issued and says something else."
    cure = "Issue the difference under a key of its own; issued invoices never change."


class UsageAlreadyRated(Conflict):
    """Another settlement has billed these bytes."""

    slug = "usage-already-rated"
    title, title_ja = "Usage already billed", "この利用量は請求済みです"
    cause = "Another settlement billed this stretch of the grant's usage at the same time."
    cure = "Run the settlement again: it takes up what is still unbilled."


class ForeignReturnUrl(Invalid):
    """The payer may only be sent back to this exchange."""

    slug = "foreign-return-url"
    title, title_ja = "Return address is not ours", "戻り先URLが当取引所のものではありません"
    cause = "Success and cancel addresses must lie on this exchange's own origin."
    cure = "Leave the address out, or give one under the exchange's base URL."


class GatewayUnavailable(Unavailable):
    """The payment gateway does not answer, or asks us to slow down."""

    slug = "gateway-unavailable"
    title, title_ja = "Payment gateway unavailable", "決済サービスが応答しません"
    cause = "The payment gateway did not answer in time, failed, or asked us to slow down; nothing was charged twice."
    cure = "Send the same request again, with the same Idempotency-Key, after a moment."


class GatewayMisconfigured(Unavailable):
    """The payment gateway does not accept our key."""

    slug = "gateway-misconfigured"
    title, title_ja = "Payment gateway refuses our key", "決済サービスの設定に誤りがあります"
    cause = "The payment gateway rejected the exchange's own credentials or their rights."
    cure = "Tell the operator: STRIPE_API_KEY is wrong, revoked, or lacks a permission."


class GatewayObjectMissing(NotFound):
    """The gateway no longer knows, or never knew, the object."""

    slug = "gateway-object-missing"
    title, title_ja = "Unknown to the payment gateway", "決済サービスに該当データがありません"
    cause = "The payment gateway does not know this session, payment or event."
    cure = "Check that the key belongs to the account that made the payment."


class GatewayRefused(Invalid):
    """The payment gateway does not accept the request."""

    slug = "gateway-refused"
    title, title_ja = "Refused by the payment gateway", "決済サービスが要求を拒否しました"
    cause = "The payment gateway refused the request; `code` is the gateway's own word for why."
    cure = "Read `code`: `amount_too_small` for instance means that the price is below the card minimum."


class PaymentDeclined(Refusal):
    """The card or account was declined."""

    slug, status = "payment-declined", 402
    title, title_ja = "Payment declined", "支払いが承認されませんでした"
    cause = "The payer's bank or card issuer declined the payment; `code` is their reason."
    cure = "Use another card, or ask the bank; nothing was charged."


class IdempotencyKeyReused(Conflict):
    """The gateway has seen this key with another body."""

    slug = "gateway-key-reused"
    title, title_ja = "Payment key already used", "決済キーは別の内容で使用済みです"
    cause = "The payment gateway has seen this payment's key with other contents."
    cure = "Place the order anew: each payment carries a key of its own."


class WebhookForged(Refusal):
    """A webhook whose signature does not fit its bytes."""

    slug, status = "webhook-forged", 400
    title, title_ja = "Webhook signature does not fit", "Webhookの署名が一致しません"
    cause = "No configured secret yields the signature of these exact bytes, or the signature is missing."
    cure = "Check STRIPE_WEBHOOK_SECRETS, and that nothing between Stripe and us rewrites the body."


class WebhookStale(Refusal):
    """A webhook signed too long ago, or in the future."""

    slug, status = "webhook-stale", 400
    title, title_ja = "Webhook out of its time window", "Webhookの時刻が許容範囲外です"
    cause = "The signed timestamp is more than 300 seconds away from our clock."
    cure = "Stripe signs each delivery anew: let it deliver again, and check the server's clock."


class WebhookMalformed(Refusal):
    """A signed body that is not a Stripe event."""

    slug, status = "webhook-malformed", 400
    title, title_ja = "Not a Stripe event", "Stripeのイベントではありません"
    cause = "The body is not a snapshot event with id, type, created, livemode and data.object."
    cure = "Point a snapshot event destination at this address, not a thin one."


class WrongLivemode(Refusal):
    """A test event at a live exchange, or a live event at a test exchange."""

    slug, status = "wrong-livemode", 400
    title, title_ja = "Wrong livemode", "本番とテストのモードが一致しません"
    cause = "Test events must not settle live orders, nor live events test orders."
    cure = "Use the webhook secret and the API key of the same mode."
