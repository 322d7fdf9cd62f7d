"""What each scope lets a program do, in words for the person who is asked."""

from marketplace.web.language import say

WORDS: dict[str, tuple[str, str]] = {
    "organization:read": ("組織の登録内容・メンバー・予算を読む", "read your organization, its members and budgets"),
    "organization:manage": ("メンバー・APIクライアント・予算を管理する", "manage its members, API clients and budgets"),
    "ratings:write": ("購入したデータを評価し、評価に返信する", "rate what you bought, reply to ratings"),
    "groups:read": (
        "限定公開グループと、グループ向けのデータセットを見る",
        "see your private groups, and what is listed to them",
    ),
    "groups:write": ("限定公開グループを作り、参加し、抜ける", "make, join and leave private groups"),
    "catalog:read": ("公開前のデータセットを読む", "read datasets before publication"),
    "catalog:write": ("データセットを登録・公開・取下げする", "list, publish and withdraw datasets"),
    "licensing:read": ("利用条件とクーポンを読む", "read your terms and coupons"),
    "licensing:write": ("利用条件・販売条件・クーポンを作り、終える", "write terms, make and end offers and coupons"),
    "orders:read": ("注文・定期購入・割引資格を読む", "read your orders, subscriptions and discounts"),
    "orders:write": (
        "利用条件に同意して注文し、請求書を支払う（費用が発生します）",
        "accept terms, place orders and pay invoices, which costs money",
    ),
    "subscriptions:write": ("定期購入を解約する", "cancel subscriptions"),
    "slips:write": ("取引所の外での支払いを記録する", "note payments made outside the exchange"),
    "invoices:read": ("請求書・返金・入金先などの書類を読む", "read your invoices, refunds and other papers"),
    "documents:write": ("発行した書類を訂正する", "correct the papers you have issued"),
    "refunds:write": ("販売代金を返金する", "give back money of what you have sold"),
    "payouts:read": ("売上と支払いの記録を読む", "read what you have earned and been paid"),
    "payouts:write": ("売上の振込先口座を変える", "change the account that your earnings go to"),
    "grants:read": ("利用権を読む", "read your grants"),
    "grants:write": ("与えた利用権を取り消す", "revoke grants you have given"),
    "data:read": (
        "購入したデータのファイルを受け取る（計量されます）",
        "fetch the files of what you bought, which is metered",
    ),
    "usage:read": ("利用量を読む", "read your usage"),
    "usage:correct": ("計量された利用量を訂正する（請求に反映されます）", "correct metered usage, which is billed"),
    "deliveries:report": (
        "自社サーバーからの配信量を報告する（課金の基になります）",
        "report what your own server sent, which is charged",
    ),
    "demand:read": (
        "自組織のデータのリクエストとお知らせを読む",
        "read your data requests, those you follow, and what you were told of them",
    ),
    "demand:write": (
        "データのリクエストを出し、フォローし、支払意思を表明する（債務にはなりません）、影響評価に異議を述べる",
        "state data requests, follow others and pledge for them, which is no debt; object to impact assessments",
    ),
    "privacy:second": (
        "検出結果への他の人の回答に、二人目として同意する、または差し戻す",
        "agree, as a second person, to what another answered for personal data that was found, or send it back",
    ),
    "demand:answer": ("データのリクエストに回答する", "answer data requests of others"),
    "ledger:read": ("取引所の帳簿を読む", "read the books of the exchange"),
    "trades:read": (
        "取引を端から端までたどる（注文・支払い・配信・売上）",
        "trace your trades from end to end: orders, payments, deliveries, earnings",
    ),
    "audit:read": ("監査記録を検索・出力する", "search and export the record"),
    "market:read": ("全ての組織と取引を読む", "read all organizations and trades"),
    "market:operate": ("取引所を運営する（審査、締め、振込み）", "operate the exchange: judge, settle, pay out"),
    "token:hour": (
        "許可の確認を1時間ごとにする（通常は数分ごと）",
        "have its permission checked each hour, not each few minutes",
    ),
}
"""Japanese and English, for every scope of the permission table."""


def words(scope: str) -> str:
    """Return what a scope allows, in the reader's language."""
    return say(*WORDS[scope])
