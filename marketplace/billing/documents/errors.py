"""What documents refuse."""

from marketplace.kit.errors import Conflict, NotFound, Refusal


class DocumentNotFound(NotFound):
    """No such document, or none that the caller may know of."""

    slug = "document-not-found"
    title, title_ja = "No such document", "文書が見つかりません"
    cause = "There is no such document, or your organization is neither its issuer nor its recipient."
    cure = "List the documents of your organization with GET /v1/documents."
    cause_ja = "そのような文書は存在しないか、貴組織がその発行者でも宛先でもありません。"
    cure_ja = "GET /v1/documents で自組織の文書を一覧してください。"


class DocumentConflict(Conflict):
    """Something was documented already with other content."""

    slug = "document-conflict"
    title, title_ja = "Documented already with other content", "別の内容ですでに発行済みです"
    cause = "A document was issued for the same thing with other content; issued documents do not change."
    cure = "Read the document that was issued; mend it by a correction or a credit note."
    cause_ja = "同じ事柄について、別の内容の文書がすでに発行されています。発行済みの文書は変更されません。"
    cure_ja = "発行済みの文書を確認し、修正文書または返還請求書によって訂正してください。"


class CreditExceedsInvoice(Conflict):
    """More would be given back than was billed."""

    slug = "credit-exceeds-invoice"
    title, title_ja = "Credit above the invoice", "返還額が請求額を超えています"
    cause = "The credit notes of an invoice together must not exceed its net amount, nor its tax."
    cure = "Give back at most what is left of the invoice; `left_net_yen` and `left_tax_yen` say how much."
    cause_ja = "一つの請求書に対する返還請求書の合計は、その税抜額も税額も超えてはなりません。"
    cure_ja = "請求書の残額以内で返還してください。残額は left_net_yen と left_tax_yen に示されています。"


class CorrectionChangesAmount(Conflict):
    """A correction must not move money."""

    slug = "correction-changes-amount"
    title, title_ja = "A correction must not change the amount", "修正文書で金額は変更できません"
    cause = (
        "A correction replaces what a document says; what is owed changes by credit notes and further invoices alone."
    )
    cure = "Keep the total, or issue a credit note or a further invoice for the difference."
    cause_ja = "修正文書は記載事項を改めるものです。債権額は返還請求書または追加の請求書によってのみ変わります。"
    cure_ja = "合計額を変えずに修正するか、差額について返還請求書または追加の請求書を発行してください。"


class RoundingFixed(Conflict):
    """An issuer's way of rounding is constant from its first price on."""

    slug = "rounding-fixed"
    title, title_ja = "The rounding is fixed", "端数処理は変更できません"
    cause = "The organization has quoted or billed with one way of rounding; it stays the same from then on."
    cure = "Choose the rounding before the first order; `tax_rounding` says which one is in force."
    cause_ja = "貴組織はすでに一つの端数処理で見積または請求を行っており、以後は同じ方法が適用されます。"
    cure_ja = "端数処理は最初の注文の前に選んでください。適用中の方法は tax_rounding に示されています。"


class NotRendered(Refusal):
    """A kind of document that the asked form does not know."""

    slug, status = "document-not-rendered", 406
    title, title_ja = "No such form of this document", "この文書にその形式はありません"
    cause = "JP PINT describes invoices, corrections of them, credit notes and self-billed statements; no other papers."
    cure = "Fetch this document as JSON or PDF."
    cause_ja = "JP PINTが定めるのは請求書、その修正、返還請求書、仕入明細書だけで、他の書類の形式はありません。"
    cure_ja = "この文書はJSONまたはPDFで取得してください。"
