"""What is said of data requests and of what comparable deals cost."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import (
    WHOLE_MAX,
    Instant,
    PageQuery,
    Strict,
    Whole,
    identifier,
    line,
    one_of,
    page_of,
    pattern,
    prose,
)
from marketplace.catalog.states import Theme
from marketplace.demand import rules
from marketplace.demand.states import AnswerKind, Event, RequestState
from marketplace.licensing.states import PriceKind

_PRICED = [kind for kind in PriceKind if kind is not PriceKind.FREE]


def _yen(**kwargs: object) -> Whole:
    return Whole(validate=validate.Range(1, rules.YEN_MAX), **kwargs)  # type: ignore[arg-type] # marshmallow's own


def _area(**kwargs: object) -> fields.String:
    said = {"description": "JP, a local-government code of 6 digits, or the first two of a prefecture"}
    return fields.String(validate=pattern("JP|[0-9]{2}|[0-9]{6}", "Not a region."), metadata=said, **kwargs)  # type: ignore[arg-type] # as above


class RequestQuery(PageQuery):
    """Which data requests; live ones where no state is named."""

    q = prose(500, load_default="")
    theme = one_of(Theme)
    state = one_of(RequestState)
    region = _area()


class RequestDraft(Strict):
    """What an organization needs. ``shows_name`` lets everybody see who asks."""

    title = line(rules.TITLE_LENGTH_MAX, required=True)
    problem = prose(rules.WORDS_LENGTH_MAX, required=True)
    deadline = fields.Date(required=True)
    theme = one_of(Theme, load_default=Theme.OTHER.value)
    region = line(6, load_default="JP")
    detail = prose(rules.DETAIL_LENGTH_MAX, load_default="")
    period_from = fields.Date(load_default=None, allow_none=True)
    period_to = fields.Date(load_default=None, allow_none=True)
    budget_yen = _yen(load_default=None, allow_none=True)
    shows_name = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class PledgeDraft(Strict):
    """What one would pay; no debt."""

    amount_yen = _yen(required=True)


class LettersSetting(Strict):
    """Whether one's organization gets letters about new requests that it could answer."""

    letters = fields.Boolean(required=True, truthy={True}, falsy={False})


class AnswerDraft(Strict):
    """A teaser in words, a quote with price and last day, or a listed dataset of one's own."""

    kind = one_of(AnswerKind, required=True)
    words = prose(rules.WORDS_LENGTH_MAX, load_default="")
    amount_yen = _yen(load_default=None, allow_none=True)
    valid_until = fields.Date(load_default=None, allow_none=True)
    dataset_id = identifier("ds", load_default=None, allow_none=True)


class MetDraft(Strict):
    """By which answer a request is met, where it is one of them."""

    answer_id = identifier("ran", load_default=None, allow_none=True)


class ClosingDraft(Strict):
    """Why a request is closed."""

    reason = prose(rules.DETAIL_LENGTH_MAX, load_default="")


class MergeDraft(Strict):
    """Into which request."""

    into_id = identifier("drq", required=True)


class RequesterView(Schema):
    """An organization by name."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)


class PledgesView(Schema):
    """What is pledged in all as of a moment, told where enough organizations stand behind it; a pledge is no debt."""

    organizations = fields.Integer(required=True)
    amount_yen = fields.Integer(required=True)
    as_of = Instant(required=True)


class StandingView(Schema):
    """How the caller stands to a request."""

    is_requester = fields.Boolean(required=True)
    follows = fields.Boolean(required=True)
    pledge_yen = fields.Integer(required=True, allow_none=True)


class RequestView(Schema):
    """A data request, and what became of it."""

    id = fields.String(required=True)
    state = one_of(RequestState, required=True)
    requester = fields.Nested(RequesterView, required=True, allow_none=True)
    title = fields.String(required=True)
    problem = fields.String(required=True)
    theme = fields.String(required=True)
    region = fields.String(required=True)
    detail = fields.String(required=True)
    period_from = fields.Date(required=True, allow_none=True)
    period_to = fields.Date(required=True, allow_none=True)
    budget_yen = fields.Integer(required=True, allow_none=True)
    deadline = fields.Date(required=True)
    followers = fields.Integer(required=True)
    pledges = fields.Nested(PledgesView, required=True, allow_none=True)
    merged_into_id = fields.String(required=True, allow_none=True)
    closing_words = fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    answered_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    standing = fields.Nested(StandingView, required=True, allow_none=True)


class AlikeView(Schema):
    """A live request that is like another one, and how many percent of their words they share."""

    request = fields.Nested(RequestView, required=True)
    likeness_percent = fields.Integer(required=True)


class AlikeList(Schema):
    """Live requests that are alike, nearest first."""

    items = fields.List(fields.Nested(AlikeView), required=True)


class AnswerView(Schema):
    """What a provider answered. The price of a quote is shown to its two sides."""

    id = fields.String(required=True)
    request_id = fields.String(required=True)
    kind = one_of(AnswerKind, required=True)
    provider = fields.Nested(RequesterView, required=True)
    words = fields.String(required=True)
    amount_yen = fields.Integer(required=True, allow_none=True, metadata={"maximum": WHOLE_MAX})
    valid_until = fields.Date(required=True, allow_none=True)
    dataset_id = fields.String(required=True, allow_none=True)
    dataset_title_ja = fields.String(required=True, allow_none=True)
    dataset_title_en = fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    chosen_at = Instant(required=True, allow_none=True)


class AnswerList(Schema):
    """The answers to a request that stand, oldest first."""

    items = fields.List(fields.Nested(AnswerView), required=True)


class RequestNoticeView(Schema):
    """What one was told of a request; ``about`` is the answer, or the request that it was merged into."""

    id = fields.String(required=True)
    request_id = fields.String(required=True)
    title = fields.String(required=True)
    event = one_of(Event, required=True)
    about = fields.String(required=True)
    created_at = Instant(required=True)


class PriceQuery(Strict):
    """Comparable by theme, kind of price, and region."""

    theme = one_of(Theme, required=True)
    price_kind = one_of(_PRICED, load_default=PriceKind.ONE_OFF.value)
    region = _area(load_default="JP")


class PriceGuideView(Schema):
    """Quartiles of what buyers paid, before tax, to two significant digits; the last that were told, None without."""

    theme = fields.String(required=True)
    price_kind = fields.String(required=True)
    region = fields.String(required=True, allow_none=True, metadata={"description": "of which the figures are"})
    month = fields.String(required=True, allow_none=True, metadata={"description": "the last month that counts"})
    deals_min = fields.Integer(required=True, allow_none=True)
    buyers_min = fields.Integer(required=True, allow_none=True)
    lower_yen = fields.Integer(required=True, allow_none=True)
    median_yen = fields.Integer(required=True, allow_none=True)
    upper_yen = fields.Integer(required=True, allow_none=True)


RequestPage = page_of(RequestView)
RequestNoticePage = page_of(RequestNoticeView)
