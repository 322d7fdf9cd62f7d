"""The anomaly rules: pure folds over the record, each with its words, its thresholds and their reasons.

A rule looks at one key at a time (a pair of parties, a grant, a dataset …). It is handed what it remembers of that
key and the next deed, and returns what it remembers from now on, and a finding where there is one. So the whole
record is read once, in its order, at constant memory, and what a rule says can be tested without a database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from marketplace.audit.cases import folds
from marketplace.audit.cases.folds import Deed, Limits, Step
from marketplace.audit.verbs import Verb


@dataclass(frozen=True, slots=True)
class AnomalyRule:
    """One rule: what wakes it, whose deeds it lays side by side, and for how long it remembers them."""

    name: str
    title: str
    title_ja: str
    explanation: str
    explanation_ja: str
    verbs: tuple[Verb, ...]
    key: Callable[[Deed], str | None]
    fold: Callable[[Mapping[str, Any], Deed, Limits], Step]
    remembers: timedelta | None = field(default=None)

    def kept_until(self, deed: Deed) -> datetime | None:
        """Return when what is remembered after this deed may be forgotten; None for never."""
        return None if self.remembers is None else deed.occurred_at + self.remembers


CIRCULAR_TRADE = AnomalyRule(
    name="circular-trade",
    title="Two parties buy from each other",
    title_ja="相互に売買する二者",
    explanation=(
        f"Within {folds.LOOP_DAYS} days two organizations have ordered from each other, each for"
        f" {folds.CIRCLE_YEN:,} yen or more. Money that comes back to where it started may only pretend turnover."
    ),
    explanation_ja=(
        f"{folds.LOOP_DAYS}日以内に、二つの組織が互いに{folds.CIRCLE_YEN:,}円以上を注文し合っています。"
        "資金が元の組織に戻る取引は、売上を装うものかもしれません。"
    ),
    verbs=(Verb.ORDER_PLACED,),
    key=folds.pair_of,
    fold=folds.circle,
    remembers=timedelta(days=folds.LOOP_DAYS),
)
PRICE_JUMP = AnomalyRule(
    name="price-jump",
    title="A price jumps",
    title_ja="価格の急変",
    explanation=(
        f"A new version of an offer, or one made within {folds.LOOP_DAYS} days after another was withdrawn, costs"
        f" {folds.JUMP_FACTOR} times as much as before, or as little, and the difference is {folds.JUMP_YEN:,} yen or"
        " more. It may be a slip of the keyboard, or a price made for somebody in particular."
    ),
    explanation_ja=(
        f"販売条件の新しい版、または取下げ後{folds.LOOP_DAYS}日以内の再提示の価格が、以前の{folds.JUMP_FACTOR}倍以上"
        f"（または{folds.JUMP_FACTOR}分の1以下）で、差額が{folds.JUMP_YEN:,}円以上です。"
        "入力の誤りか、特定の相手のための価格かもしれません。"
    ),
    verbs=(Verb.OFFER_MADE, Verb.OFFER_SUPERSEDED, Verb.OFFER_WITHDRAWN),
    key=lambda deed: deed.dataset_id,
    fold=folds.jump,
)
REFUND_LOOP = AnomalyRule(
    name="refund-loop",
    title="Refunds again and again",
    title_ja="繰り返される返金",
    explanation=(
        f"Within {folds.LOOP_DAYS} days, {folds.LOOP_REFUNDS} or more refunds were made between the same two parties"
        " for other reasons than a missed service level or a usage that became cheaper. Money that goes back and"
        " forth may hide where it is from, and data that is refunded after it was fetched was free."
    ),
    explanation_ja=(
        f"{folds.LOOP_DAYS}日以内に、同じ二者の間で{folds.LOOP_REFUNDS}件以上の返金がありました（サービス水準の未達や、"
        "利用料の減額によるものを除く）。資金の往復はその出所を隠すことがあり、取得後に返金されたデータは無償になります。"
    ),
    verbs=(Verb.REFUND_OPENED,),
    key=folds.pair_of,
    fold=folds.refund_loop,
    remembers=timedelta(days=folds.LOOP_DAYS),
)
PAYOUT_AFTER_CHANGE = AnomalyRule(
    name="payout-after-change",
    title="A payout soon after another account was named",
    title_ja="振込先変更直後の支払",
    explanation=(
        f"A payout was drawn within {folds.CHANGE_DAYS} days after the provider named another account. Whoever has"
        " taken over somebody's sign-in changes the account first. The payout can still be called off until it is sent."
    ),
    explanation_ja=(
        f"提供者が振込先を変更してから{folds.CHANGE_DAYS}日以内に、支払が起票されました。"
        "サインインを乗っ取った者は、まず振込先を変えます。送金の前であれば、支払を取り消せます。"
    ),
    verbs=(Verb.PAYOUT_ACCOUNT_NAMED, Verb.PAYOUT_CREATED),
    key=folds.payee_of,
    fold=folds.payout_after_change,
)
NIGHT_BULK = AnomalyRule(
    name="night-bulk",
    title="Much is fetched at night",
    title_ja="夜間の大量取得",
    explanation=(
        f"Between {folds.NIGHT_FROM} and {folds.NIGHT_TO} o'clock in Japan an organization received more bytes than"
        " MARKETPLACE_WATCH_NIGHT_BYTES. A program of the buyer's may do so every night; somebody who has its secret"
        " does so while nobody looks."
    ),
    explanation_ja=(
        f"日本時間の{folds.NIGHT_FROM}時から翌{folds.NIGHT_TO}時までに、一つの組織が"
        " MARKETPLACE_WATCH_NIGHT_BYTES を超えるバイトを受け取りました。"
        "購入者の夜間処理かもしれませんが、秘密鍵を盗んだ者は人目のない時間に動きます。"
    ),
    verbs=(Verb.DELIVERY_CLOSED,),
    key=folds.night_of,
    fold=folds.night_bulk,
    remembers=timedelta(days=7),
)
DORMANT_GRANT = AnomalyRule(
    name="dormant-grant",
    title="A grant that rested is used",
    title_ja="休眠していた利用権の使用",
    explanation=(
        "A grant from which nothing was fetched for MARKETPLACE_WATCH_DORMANT_DAYS days is fetched from again. The"
        " people who had it may be gone, and its secrets with others."
    ),
    explanation_ja=(
        "MARKETPLACE_WATCH_DORMANT_DAYS 日の間使われなかった利用権で、再び取得が行われました。"
        "当時の担当者は既に離れ、秘密鍵が他人の手にあるかもしれません。"
    ),
    verbs=(Verb.GRANT_ISSUED, Verb.DELIVERY_OPENED),
    key=folds.grant_of,
    fold=folds.dormant,
)
RULES = (CIRCULAR_TRADE, PRICE_JUMP, REFUND_LOOP, PAYOUT_AFTER_CHANGE, NIGHT_BULK, DORMANT_GRANT)
WATCHED = frozenset(verb for rule in RULES for verb in rule.verbs)
"""The deeds that wake any rule; all others are passed over."""
