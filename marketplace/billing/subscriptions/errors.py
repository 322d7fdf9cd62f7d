"""What subscriptions refuse."""

from marketplace.kit.errors import Conflict


class SubscriptionEnded(Conflict):
    """The subscription has ended; nothing about it changes any more."""

    slug = "subscription-ended"
    title, title_ja = "Subscription ended", "定期購読は終了しています"
    cause = "This subscription has ended: it was cancelled, was not paid, or its licence is over."
    cure = "Order the offer again, if it is still open; that begins a new subscription."
    cause_ja = "この定期購読は、解約、未払い、または利用許諾の終了により終わっています。"
    cure_ja = "販売条件がまだ有効であれば、もう一度注文してください。新しい定期購読が始まります。"
