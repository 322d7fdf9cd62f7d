"""What licensing refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, Refusal


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


class PurposeNotPermitted(Forbidden):
    """The accepted terms do not permit the declared purpose; the member ``permitted`` lists what they do."""

    slug = "purpose-not-permitted"
    title, title_ja = "Purpose not permitted", "この利用用途は認められていません"
    cause = "The terms that your organization accepted do not permit the purpose that you declared."
    cure = "Use the data for a purpose listed in `permitted`, or buy under terms that permit yours."
    cause_ja = "貴組織が同意した利用条件は、申告された利用用途を認めていません。"
    cure_ja = "permitted に示された用途で利用するか、その用途を認める条件で購入してください。"


class PurposeUnknown(Invalid):
    """A declared purpose that is none of item 13030 of CADDE."""

    slug = "purpose-unknown"
    title, title_ja = "Purpose unknown", "利用用途の符号が正しくありません"
    cause = "What was declared is none of the codes for permitted purposes (CADDE 4.0, item 13030)."
    cure = "Send one of the codes that `errors` names, or none: then the purposes of the accepted terms hold."
    cause_ja = "申告された値は、利用用途(CADDE 4.0 項目13030)の符号ではありません。"
    cure_ja = "errors に示された符号を送るか、省略してください。省略時は同意した条件の用途が適用されます。"


class RailRefused(Refusal):
    """A way to pay that the exchange does not offer; the detail says why, the member ``rail`` which."""

    slug, status = "rail-refused", 422
    title, title_ja = "Way to pay not offered", "この支払方法は扱いません"
    cause = "The exchange does not offer this way to pay or to be paid, for a legal reason or for its accounts' sake."
    cure = "Choose among card, konbini, bank_transfer, invoice and outside."
    cause_ja = "法令上または会計上の理由により、この支払方法は扱いません。理由は reason_ja に示します。"
    cure_ja = "card、konbini、bank_transfer、invoice、outside の中から選んでください。"


class PayeeNotEligible(Refusal):
    """A share of the revenue would go to somebody who cannot be paid here."""

    slug, status = "payee-not-eligible", 422
    title, title_ja = "Payee not eligible", "この組織には分配できません"
    cause = "Revenue is shared among verified providers alone: businesses, public bodies and universities in Japan."
    cure = "Name organizations that the operator has verified as providers, or settle with others outside the exchange."
    cause_ja = (
        "売上を分配できるのは、認証済みの提供者（国内の事業者・公的団体・大学）だけです。個人と国外には送金しません。"
    )
    cure_ja = "運営者が提供者として認証した組織を示すか、取引所の外で精算してください。"


class BuyerNotEligible(Refusal):
    """A private offer names somebody who cannot buy."""

    slug, status = "buyer-not-eligible", 422
    title, title_ja = "Buyer not eligible", "この組織は購入者になれません"
    cause = "A private offer names one verified buyer other than its provider."
    cure = "Ask the buyer for the id of its organization, and for its verification by the operator."
    cause_ja = "個別の販売条件は、提供者以外の認証済み購入者を一つだけ示します。"
    cure_ja = "購入者に組織のIDと、運営者による認証の有無を確かめてください。"


class RowsNotCounted(Refusal):
    """A price per row needs files whose rows were counted to the end."""

    slug, status = "rows-not-counted", 422
    title, title_ja = "Rows not counted", "行数が数えられていません"
    cause = "The release that would be sold by the row has files whose rows were not, or not wholly, counted."
    cure = "Offer by MiB or by request, or publish a release of tabular files that the profiler reads to their end."
    cause_ja = "行単位で販売される版に、行数を最後まで数えられなかったファイルがあります。"
    cure_ja = "MiB単位かリクエスト単位で提供するか、最後まで読み取れる表形式のファイルだけの版を公開してください。"
