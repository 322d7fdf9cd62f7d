"""What licensing refuses."""

from marketplace.kit.errors import Conflict


class OfferNotOpen(Conflict):
    """The offer was superseded or withdrawn; the member ``state`` says which."""

    slug = "offer-not-open"
    title, title_ja = "Offer not open", "この提供条件は終了しています"
    cause = "The offer was superseded by a newer one or withdrawn by its provider."
    cure = "Read the dataset's open offers and decide anew."
    cause_ja = "この販売条件は、新しいものに置き換えられたか、提供者に取り下げられました。"
    cure_ja = "データセットの現在の販売条件を読み、改めて判断してください。"


class TermsNotAccepted(Conflict):
    """The buyer has not accepted the terms under which the data are offered."""

    slug = "terms-not-accepted"
    title, title_ja = "Terms not accepted", "利用条件に同意していません"
    cause = "Your organization has not accepted the usage terms with this hash."
    cure = "Read the terms of the offer and accept them by naming their SHA-256, then order again."
    cause_ja = "貴組織は、このハッシュの利用条件に同意していません。"
    cure_ja = "販売条件の利用条件を読み、そのSHA-256を示して同意してから、もう一度注文してください。"
