"""What a request, a pledge and an answer must look like, how alike two requests are, and how prices are told: pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace.catalog import meaning
from marketplace.catalog.meaning import Concept
from marketplace.catalog.rules import COUNTRY, region_fault, text_fault
from marketplace.catalog.states import Theme
from marketplace.demand.states import AnswerKind
from marketplace.identity.rules import refuse_faults, refuse_my_numbers
from marketplace.kit import clock

TITLE_LENGTH_MAX = 200
WORDS_LENGTH_MAX = 4000
DETAIL_LENGTH_MAX = 1000
YEN_MAX = 999_999_999_999
DEADLINE_DAYS_MAX = 731
TOKENS_MAX = 60
ANSWERS_MAX = 10
"""So many answers that stand may one provider have to one request."""
ALIKE_PERCENT_MIN = 30

BANDS = (5, 10, 20, 50, 100, 200, 500, 1000)
"""Counts of deals are told as the lower end of their band: who sees one more arrive knows whose it is."""

# What every request says says nothing of any.
_EMPTY = frozenset(
    (
        *(
            "データ",
            "ほしい",
            "欲しい",
            "必要",
            "したい",
            "為る",
            "居る",
            "有る",
            "こと",
            "もの",
            "ため",
            "使う",
            "探す",
        ),
        *("別", "ごと", "毎", "単位", "量", "数", "値", "さ", "市", "部", "者", "所", "知る", "利用", "使用"),
        *("一覧", "リスト", "状況", "情報", "記録", "分布", "地図", "どこ", "1"),
        *("need", "data", "want", "use", "like", "we", "the", "of", "for", "a", "in", "to"),
        *("each", "their", "list", "at", "by", "and", "on", "get"),
    )
)


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """What an organization needs: the problem to be solved, where, of which time, how fine, for how much, by when.

    ``shows_name`` lets everybody see who asks.
    """

    title: str
    problem: str
    deadline: date
    theme: Theme = Theme.OTHER
    region: str = COUNTRY
    detail: str = ""
    period_from: date | None = None
    period_to: date | None = None
    budget_yen: int | None = None
    shows_name: bool = False


@dataclass(frozen=True, slots=True)
class AnswerDraft:
    """What a provider answers: a teaser in words, a quote with its price and last day, or a dataset that is listed."""

    kind: AnswerKind
    words: str = ""
    amount_yen: int | None = None
    valid_until: date | None = None
    dataset_id: str | None = None


def check_request(draft: RequestDraft) -> None:
    """Refuse a request without words, with times that run backwards, or with an individual number in it."""
    refuse_my_numbers({"title": draft.title, "problem": draft.problem, "detail": draft.detail})
    refuse_faults(
        {
            "title": _words_fault(draft.title, TITLE_LENGTH_MAX),
            "problem": _words_fault(draft.problem, WORDS_LENGTH_MAX, lines=True),
            "detail": text_fault(draft.detail, DETAIL_LENGTH_MAX, lines=True),
            "theme": None if draft.theme in set(Theme) else "must be one of the themes",
            "region": region_fault(draft.region),
            "period_to": "must not be earlier than period_from" if _runs_back(draft) else None,
            "budget_yen": yen_fault(draft.budget_yen),
            "deadline": _deadline_fault(draft.deadline),
        }
    )


def check_answer(draft: AnswerDraft) -> None:
    """Refuse an answer that lacks what its kind needs, has what it does not, or holds an individual number."""
    refuse_my_numbers({"words": draft.words})
    is_quote = draft.kind is AnswerKind.QUOTE
    missing = "is needed in an answer of this kind"
    fault = _words_fault if draft.kind is AnswerKind.TEASER else text_fault
    refuse_faults(
        {
            "words": fault(draft.words, WORDS_LENGTH_MAX, lines=True),
            "amount_yen": yen_fault(draft.amount_yen) or _misplaced(draft.amount_yen, is_quote, missing),
            "valid_until": _past_fault(draft.valid_until) or _misplaced(draft.valid_until, is_quote, missing),
            "dataset_id": missing if draft.kind is AnswerKind.LISTING and not draft.dataset_id else None,
        }
    )


def closing_fault(words: str) -> str | None:
    """Return why these words cannot say why a request is closed, or None."""
    return text_fault(words, DETAIL_LENGTH_MAX, lines=True)


def yen_fault(amount_yen: int | None) -> str | None:
    """Return why this cannot be an amount of yen above zero, or None; it may be absent."""
    return None if amount_yen is None or 1 <= amount_yen <= YEN_MAX else f"must be 1 to {YEN_MAX} yen"


def tokens_of(*texts: str) -> list[str]:
    """Return the telling words of texts, in their normal form, and what they mean in either language, sorted."""
    found = {token for concept in _concepts(texts) for token in (*_words(concept), *_meanings(concept))}
    return sorted(found - _EMPTY)[: 2 * TOKENS_MAX]


def sought_of(text: str) -> list[str]:
    """Return which tokens a request has that is about these words, or about others of their meaning."""
    found = {token for concept in _concepts([text]) for token in _meanings(concept) or _words(concept)}
    return sorted(found - _EMPTY)[:TOKENS_MAX]


def _concepts(texts: Iterable[str]) -> Iterator[Concept]:
    for text in texts:
        yield from meaning.read(text, TOKENS_MAX).concepts


def _words(concept: Concept) -> list[str]:
    return [word.forms[-1] for word in concept.term if word.forms]


def _meanings(concept: Concept) -> list[str]:
    # By its first term: lines of the table move when others are put before them.
    return [f"={'+'.join(key)}" for key in concept.lines]


def likeness(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many percent of their words two requests share (Dice); 0 where one has none."""
    total = len(one) + len(other)
    return 200 * len(set(one) & set(other)) // total if total else 0


def band(count: int) -> int:
    """Return the lower end of the band that a count is in."""
    return max((edge for edge in BANDS if edge <= count), default=0)


def rounded(amount_yen: int) -> int:
    """Return an amount to two significant digits: of five deals the median is one of them, and is not told."""
    step: int = 10 ** max(len(str(amount_yen)) - 2, 0)
    return (amount_yen + step // 2) // step * step


def _words_fault(text: str, length_max: int, *, lines: bool = False) -> str | None:
    return text_fault(text, length_max, lines=lines) or (None if text.strip() else "must not be empty")


def _runs_back(draft: RequestDraft) -> bool:
    return draft.period_from is not None and draft.period_to is not None and draft.period_to < draft.period_from


def _deadline_fault(deadline: date) -> str | None:
    today = clock.today()
    last = today + timedelta(days=DEADLINE_DAYS_MAX)
    return None if today <= deadline <= last else "must be from today on, and within two years"


def _past_fault(day: date | None) -> str | None:
    return "must not lie in the past" if day is not None and day < clock.today() else None


def _misplaced(value: object, is_wanted: bool, missing: str) -> str | None:
    if (value is not None) == is_wanted:
        return None
    return missing if is_wanted else "stands in a quote alone"
