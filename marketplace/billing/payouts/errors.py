"""What payouts refuse."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, NotFound


class PayoutNotFound(NotFound):
    """No such payout for this caller."""

    slug = "payout-not-found"
    title, title_ja = "Payout not found", "支払（送金）が見つかりません"
    cause = "No payout with this id goes to your organization."
    cure = "List your payouts and take the id from there."
    cause_ja = "貴組織あての、このIDの送金はありません。"
    cure_ja = "送金の一覧を取得し、そこからIDを選んでください。"


class PayoutMoved(Conflict):
    """The payout is not in the state that this deed needs."""

    slug = "payout-moved"
    title, title_ja = "Payout not in that state", "送金はその状態にありません"
    cause = "Somebody else has moved this payout on, or it was never that far."
    cure = "Read the payout: `state` says how far it is and what may follow."
    cause_ja = "他の人がこの送金を先に進めたか、まだそこまで進んでいません。"
    cure_ja = "送金を読み取ってください。state が現在の状態を示しています。"


class NothingToDraw(Conflict):
    """No payout comes of what there is."""

    slug = "nothing-to-draw"
    title, title_ja = "Nothing to pay out", "送金できるものがありません"
    cause = (
        "What the provider may draw is below the minimum payout, or the provider has named no account or is not "
        "verified (now)."
    )
    cure = "Read `GET /v1/payables`: earnings become payable when their hold period is over."
    cause_ja = "送金可能額が最低送金額に満たないか、提供者が口座を登録していないか、確認済みの組織ではありません。"
    cure_ja = "GET /v1/payables を確かめてください。売上は保留期間の経過後に送金可能になります。"


class NothingToClaim(Conflict):
    """The provider owes nothing."""

    slug = "nothing-to-claim"
    title, title_ja = "Nothing to claim", "請求できるものがありません"
    cause = "What this provider has earned covers what it owes: the next payout nets it."
    cure = "Draw a payout instead, or wait for its next sales."
    cause_ja = "この提供者の未送金の売上は債務を上回っており、次の送金で相殺されます。"
    cure_ja = "代わりに送金を作成するか、次の売上をお待ちください。"


class ClaimNotCovered(Conflict):
    """The provider's money for a claim has not come."""

    slug = "claim-not-covered"
    title, title_ja = "Claim not covered", "請求額に入金が足りません"
    cause = "Of the money that this provider has sent, less pays nothing yet than the claim asks for."
    cure = "Take in the bank statement, assign the provider's transfer to it, and note the claim as paid then."
    cause_ja = "この提供者から受け取った未充当の入金は、請求額に達していません。"
    cure_ja = "銀行の入出金明細を取り込み、入金を提供者に割り当ててから、支払済みとしてください。"


class NothingToTransfer(Conflict):
    """No approved payout waits for a bank transfer."""

    slug = "nothing-to-transfer"
    title, title_ja = "Nothing to transfer", "振込対象がありません"
    cause = "No approved payout that goes by bank transfer waits to be sent."
    cure = "Approve payouts first; a file made before is at `GET /v1/payout-files/{id}`."
    cause_ja = "承認済みで未送付の銀行振込の送金がありません。"
    cure_ja = "先に送金を承認してください。作成済みのファイルは GET /v1/payout-files/{id} で取得できます。"


class PayoutFileNotFound(NotFound):
    """No such file of bank transfers."""

    slug = "payout-file-not-found"
    title, title_ja = "Transfer file not found", "振込ファイルが見つかりません"
    cause = "No file of bank transfers has this id."
    cure = "Read a payout: `file_id` names the file it was sent in."
    cause_ja = "このIDの振込ファイルはありません。"
    cure_ja = "送金を読み取ってください。file_id が送付に使ったファイルを示します。"


class SecondPersonNeeded(Forbidden):
    """Whoever has approved a payout, or made it, does not count twice."""

    slug = "second-person-needed"
    title, title_ja = "A second person is needed", "別の担当者の承認が必要です"
    cause = "Payouts above the threshold need two persons, and you are the first of them already."
    cure = "Have somebody with credentials of their own approve it."
    cause_ja = "基準額を超える送金には二人の担当者が必要で、あなたはすでに一人目です。"
    cure_ja = "自分の認証情報を持つ別の担当者に承認してもらってください。"


class PayoutAccountMissing(NotFound):
    """The provider has not said where its money goes."""

    slug = "payout-account-missing"
    title, title_ja = "No payout account", "振込先口座が登録されていません"
    cause = "This organization has no bank account on record."
    cure = "The provider registers one with `PUT /v1/payout-account`."
    cause_ja = "この組織の振込先口座は登録されていません。"
    cure_ja = "提供者が PUT /v1/payout-account で登録してください。"


class PayeeNotBusiness(Invalid):
    """Individuals are not paid out to."""

    slug = "payee-not-business"
    title, title_ja = "Payees are businesses", "送金先は事業者に限られます"
    cause = (
        "Collecting money for individuals who are not in business counts as funds transfer (為替取引, "
        "Payment Services Act art. 2-2), for which this exchange holds no licence."
    )
    cure = "Register as a business (a corporation, a public body, or a sole proprietor in business)."
    cause_ja = (
        "事業者でない個人のための収納代行は為替取引（資金決済法2条の2）に当たり、本取引所はその登録を受けていません。"
    )
    cure_ja = "事業者（法人、公的機関、または個人事業主）として登録してください。"


class PayeeAbroad(Invalid):
    """Nothing is paid out across the border."""

    slug = "payee-abroad"
    title, title_ja = "Payouts stay in Japan", "国外への送金はできません"
    cause = "The 2025 amendment of the Payment Services Act regulates cross-border collection; it is off here."
    cure = "Name a bank account in Japan (`country` JP)."
    cause_ja = "国境をまたぐ収納代行は2025年の資金決済法改正で規制されており、本取引所では行いません。"
    cure_ja = "日本国内の銀行口座（country は JP）を指定してください。"
