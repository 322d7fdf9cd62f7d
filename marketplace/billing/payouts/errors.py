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
