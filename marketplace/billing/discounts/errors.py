"""What discounts refuse."""

from marketplace.kit.errors import Conflict


class EligibilityNotUsable(Conflict):
    """The eligibility gives no discount on this order; the member ``reason`` says why."""

    slug = "eligibility-not-usable"
    title, title_ja = "Eligibility not usable", "この割引資格は使えません"
    cause = "It is not yours, not granted, over, used up, or the offer has no discount for its class."
    cure = "Read `reason`, then order without it, or apply with new evidence."
    cause_ja = "貴組織の資格でないか、認められていないか、期限切れか、使用済みか、この販売条件に割引がありません。"
    cure_ja = "reason を確かめ、資格を使わずに注文するか、新しい証明書類で申請してください。"


class CouponNotUsable(Conflict):
    """The code gives no discount on this order.

    It is unknown, not yet or no longer valid, used up, for other offers, or takes yen off a price that is
    billed by usage; which of these stays unsaid, so that nobody can probe.
    """

    slug = "coupon-not-usable"
    title, title_ja = "Coupon not usable", "このクーポンは使えません"
    cause = "No coupon with this code can be redeemed on this offer now."
    cure = "Check the code and the offer with the provider, or order without it."
    cause_ja = "このコードのクーポンは、この販売条件では現在使えません。"
    cure_ja = "コードと対象の販売条件を提供者に確かめるか、クーポンを使わずに注文してください。"


class EligibilityDecided(Conflict):
    """The application was decided before; the member ``state`` says how."""

    slug = "eligibility-decided"
    title, title_ja = "Eligibility decided already", "この割引資格は判定済みです"
    cause = "The operator has decided on this application before."
    cure = "Read it again; a new application with new evidence can always be made."
    cause_ja = "この申請は、すでに運営者が判定しています。"
    cure_ja = "もう一度読み取ってください。新しい証明書類による申請は、いつでもできます。"


class EligibilityWaiting(Conflict):
    """An application of this class waits for the operator already."""

    slug = "eligibility-waiting"
    title, title_ja = "Application waiting already", "申請は審査待ちです"
    cause = "Your organization has an application for this class that the operator has not decided on."
    cure = "Wait for the decision; then apply again if need be."
    cause_ja = "貴組織のこの区分の申請は、運営者の判定を待っています。"
    cure_ja = "判定を待ち、必要であれば改めて申請してください。"
