"""What the stories refuse."""

from marketplace.kit.errors import Conflict, Forbidden, Refusal, Unavailable


class RedirectNeeded(Refusal):
    """A client that follows no redirects asks for a file that its provider holds."""

    slug, status = "redirect-needed", 406
    title, title_ja = "Fetched from its provider", "提供者から直接取得するファイルです"
    cause = "The provider holds this file, so the exchange cannot send it itself."
    cure = "Send the request without `Musubi-Redirect: no`, and follow the redirect without your token."
    cause_ja = "このファイルは提供者が保有しており、取引所から直接送ることはできません。"
    cure_ja = "Musubi-Redirect: no を付けずに要求し、トークンを付けずに転送先へ進んでください。"


class ReportContradicted(Conflict):
    """A report comes again under its id, and says something else."""

    slug = "report-contradicted"
    title, title_ja = "Another report has this id", "このIDの報告は既にあります"
    cause = "A report with this id was taken before and said something else; that one stands."
    cure = "Send a report again as it was; a delivery is charged by the first report of it."
    cause_ja = "このIDの報告は既に受け付けられ、内容が異なります。先の報告が有効です。"
    cure_ja = "再送では同じ内容を送ってください。配信は最初の報告によって計量されます。"


class OwnOffer(Conflict):
    """A provider orders from itself."""

    slug = "own-offer"
    title, title_ja = "Your own offer", "自組織の提供条件です"
    cause = "An organization cannot buy from itself."
    cure = "Fetch your files from where you keep them."
    cause_ja = "組織は自分自身から購入できません。"
    cure_ja = "ファイルは、ご自身の保管場所から取得してください。"


class TermsDiffer(Conflict):
    """The buyer accepts other terms than those of the offer."""

    slug = "terms-differ"
    title, title_ja = "Terms differ from the offer's", "利用条件が一致しません"
    cause = "The hash you accept is not the hash of the terms that this offer stands under."
    cure = "Read the terms named by `terms_sha256`, and accept them by that hash."
    cause_ja = "同意したハッシュは、この販売条件の利用条件のハッシュではありません。"
    cure_ja = "terms_sha256 の示す利用条件を読み、そのハッシュで同意してください。"


class PolicyNotEnforceable(Refusal):
    """An offer, or a release of what is offered, of which the part that the terms give cannot be made."""

    slug, status = "policy-not-enforceable", 422
    title, title_ja = "The data policy cannot be carried out", "条件に定めた部分を作成できません"
    cause = "The terms give certain columns or rows alone; of these files, or of an API's answers, that cannot be made."
    cure = "Name columns that every table of the release has, with values that fit them, or offer under other terms."
    cause_ja = "利用条件は一部の列や行だけを提供するものですが、このファイルまたはAPIからはその部分を作成できません。"
    cure_ja = "版の全ての表にある列と、その型に合う値を示すか、別の利用条件で提供してください。"


class NothingToDeliver(Conflict):
    """An offer for a dataset without any published release."""

    slug = "nothing-to-deliver"
    title, title_ja = "Nothing to deliver", "提供できるデータがありません"
    cause = "The dataset has no published release at the moment, so a grant would open nothing."
    cure = "Wait until the provider publishes a release, or ask for one."
    cause_ja = "データセットに現在公開中の版がないため、利用権を得ても開けるものがありません。"
    cure_ja = "提供者が版を公開するまで待つか、公開を求めてください。"


class SellerSuspended(Conflict):
    """An order at an organization that may not trade at the moment."""

    slug = "seller-suspended"
    title, title_ja = "Seller suspended", "提供者は取引を停止されています"
    cause = "The organization that made this offer is suspended; what was bought of it before stays valid."
    cure = "Wait until the operator lifts the suspension, or look for another provider."
    cause_ja = "この販売条件を出した組織は停止されています。以前に購入されたものは有効です。"
    cure_ja = "運営者が停止を解くまで待つか、別の提供者を探してください。"


class LicenceEnded(Conflict):
    """An order under terms whose last day of use is over."""

    slug = "licence-ended"
    title, title_ja = "Licence ended", "利用ライセンスの期限が過ぎています"
    cause = "The terms of this offer allow use until `last_day`, which is over."
    cure = "Ask the provider for an offer under new terms."
    cause_ja = "この提供条件の利用条件では、利用できる最終日（`last_day`）を過ぎています。"
    cure_ja = "新しい利用条件による提供を提供者に依頼してください。"


class RailNotOffered(Conflict):
    """An order on a way to pay that the provider did not choose."""

    slug = "rail-not-offered"
    title, title_ja = "Way to pay not offered", "この支払方法は選べません"
    cause = "The provider takes other ways to pay for this offer: those in `rails`."
    cure = "Choose one of `rails`, or leave `rail` out."
    cause_ja = "提供者がこの提供条件に選んだ支払方法は `rails` のものです。"
    cure_ja = "`rails` の一つを選ぶか、`rail` を省いてください。"


class AmountNotCarried(Conflict):
    """An amount that the chosen way to pay does not carry."""

    slug = "amount-not-carried"
    title, title_ja = "Amount does not fit the way to pay", "この支払方法では扱えない金額です"
    cause = "One payment on the chosen rail cannot carry `amount_gross_yen`: it is too small or too large for it."
    cure = "Choose another of `rails`, or ask the provider for an offer that is paid by invoice."
    cause_ja = "選択した支払方法では、`amount_gross_yen` の金額を一度に支払えません（少なすぎるか、多すぎます）。"
    cure_ja = "`rails` の別の支払方法を選ぶか、請求書払いの提供条件を提供者に依頼してください。"


class OrderNotOutside(Conflict):
    """A payment outside is noted for an order that is not paid so."""

    slug = "order-not-outside"
    title, title_ja = "Order is not paid outside", "取引所外払いの注文ではありません"
    cause = "The order is paid on the rail in `rail`, or is not awaiting payment any more."
    cure = "Note payment slips only for open orders whose rail is `outside`."
    cause_ja = "この注文の支払方法は `rail` のものであるか、すでに支払い待ちではありません。"
    cure_ja = "納付書の記録は、支払方法が `outside` の支払い待ちの注文にだけ行ってください。"


class SlipDiffers(Conflict):
    """Another payment slip for an order that has one, or a slip that paid another order."""

    slug = "slip-differs"
    title, title_ja = "Payment slip used otherwise", "納付書の記録が一致しません"
    cause = "The order was paid by another slip, or this slip's number has paid another order of the provider."
    cure = "Compare the number on the slip (納付書番号) with the order's."
    cause_ja = "この注文は別の納付書で支払われたか、この納付書番号は同じ提供者の別の注文に使われています。"
    cure_ja = "納付書番号を注文の記録と照らし合わせてください。"


class SettlementIncomplete(Refusal):
    """Some pairs of seller and buyer could not be billed; the others were."""

    slug, status = "settlement-incomplete", 500
    title, title_ja = "Settlement incomplete", "一部の精算に失敗しました"
    cause = "The usage of the pairs in `failed` could not be billed; the invoices in `issued` stand."
    cure = "See the log for each pair's reason, mend it, and settle again: only what is unbilled is taken up."
    cause_ja = "failed に示された組の利用分は請求できませんでした。issued の請求書は有効です。"
    cure_ja = "理由をログで確かめて直し、もう一度精算してください。未請求の分だけが処理されます。"


class CancellationExcluded(Conflict):
    """The offer promises no money back before the paid time is over."""

    slug = "cancellation-excluded"
    title, title_ja = "Not cancelled before its time", "途中解約はできません"
    cause = "The offer says `cancellation: none`: what is paid is used to the end of its time."
    cure = "Cancel a subscription at its term's end: `POST /v1/subscriptions/{id}/cancel`; or ask the provider."
    cause_ja = "このオファーは cancellation: none です。支払済みの期間は最後まで利用します。"
    cure_ja = "定期購読は POST /v1/subscriptions/{id}/cancel で期間の終わりに解約できます。または提供者へ。"


class NothingToCancel(Conflict):
    """An order without a running, limited time has no unused days."""

    slug = "nothing-to-cancel"
    title, title_ja = "Nothing to cancel", "解約できる期間がありません"
    cause = "The order is not fulfilled, its access has ended, or its access has no end and thus no unused days."
    cure = "Read the order and its grant: `state` and `expires_at` say which of these it is."
    cause_ja = "注文が履行されていないか、利用がすでに終わっているか、利用期間に終わりがなく未使用日数がありません。"
    cure_ja = "注文と利用権の state と expires_at を確認してください。"


class TableInTheMaking(Unavailable):
    """A shared table whose Parquet is not made yet."""

    slug = "table-in-the-making"
    title, title_ja = "Table in the making", "テーブルを準備しています"
    cause = "The Parquet of this table is being made, once; it has been asked for."
    cure = "Send the same request again after the seconds in Retry-After. Clients of Delta Sharing do so by themselves."
    cause_ja = "このテーブルのParquetを作成しています（一度だけ行われます）。作成は既に始まっています。"
    cure_ja = "Retry-Afterの秒数の後に、同じ要求を送ってください。Delta Sharingのクライアントは自動的に再試行します。"


class TableUnreadable(Conflict):
    """A shared table of which no Parquet can be made."""

    slug = "table-unreadable"
    title, title_ja = "Table not readable", "テーブルを読み取れません"
    cause = "No Parquet can be made of this file."
    cure = "Fetch the file itself under `/v1/grants/{id}/files`, and write to the provider."
    cause_ja = "このファイルからParquetを作成できません。"
    cure_ja = "/v1/grants/{id}/files からファイルそのものを取得し、提供者に連絡してください。"


class ChangesUnreadable(Conflict):
    """Two versions of a shared table of which nobody can say in rows what changed."""

    slug = "changes-unreadable"
    title, title_ja = "Changes not readable", "変更を読み取れません"
    cause = "What changed between these versions cannot be told as rows of one table."
    cure = "Read the versions themselves, or ask for changes from a later version on."
    cause_ja = "これらの版の間の変更は、一つの表の行としては表せません。"
    cure_ja = "各版そのものを読み取るか、より新しい版からの変更を求めてください。"


class PermitUnknown(Forbidden):
    """A signed address that we did not sign, whose time is over, or whose holder was shut out."""

    slug = "address-not-signed"
    title, title_ja = "Signed address not valid", "署名付きアドレスが無効です"
    cause = "The address was not signed by this exchange for this file, its time is over, or its client was shut out."
    cure = "Query the table again; the answer holds new addresses."
    cause_ja = "この取引所がこのファイルのために署名したものではないか、期限切れか、クライアントが停止されています。"
    cure_ja = "もう一度テーブルに問い合わせてください。応答に新しいアドレスがあります。"
