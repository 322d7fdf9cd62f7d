"""Reading data requests, answers and notices. Requests are public but for those that the operator has withheld."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy import text as sql

from marketplace.catalog import listings
from marketplace.catalog.rules import COUNTRY
from marketplace.demand import comparing, rules
from marketplace.demand.models import (
    DataRequest,
    PriceGuide,
    RequestAnswer,
    RequestFollower,
    RequestNotice,
    RequestPledge,
)
from marketplace.demand.states import LIVE, AnswerKind, RequestState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

ALIKE_MAX = 10
_CANDIDATES_MAX = 200
# Of all requests that share a word those with the most: what is live is a matter of thousands.
_ALIKE = sql("""
SELECT id FROM (
    SELECT id, cardinality(tokens) AS length,
           cardinality(ARRAY(SELECT unnest(tokens) INTERSECT SELECT unnest(CAST(:tokens AS text[])))) AS shared
      FROM data_request
     WHERE tokens && CAST(:tokens AS text[]) AND state IN ('open', 'answered') AND NOT withheld AND id <> :but) AS found
 ORDER BY shared DESC, length, id DESC LIMIT :size
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a reader stands to a request: whether it is theirs, whether they follow it, what they pledged."""

    is_requester: bool
    follows: bool
    pledge_yen: int | None


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests: words they share, their theme, their state, and a region or a prefecture (two digits)."""

    words: str = ""
    theme: str | None = None
    state: RequestState | None = None
    region: str | None = None


def get_request(request_id: str, reader: Actor | None = None) -> DataRequest:
    """Return a request, or raise NotFound; one that was withheld is there for its requester and for overseers alone."""
    found = db.session.get(DataRequest, request_id) if is_id(request_id) else None
    if found is None or (found.withheld and not _is_concerned(found, reader)):
        raise NotFound
    return found


def read_request(request_id: str) -> DataRequest:
    """Return a request that there is, whoever may see it: for what is told to those who followed it."""
    return db.session.get_one(DataRequest, request_id)


def list_requests(wanted: RequestFilter, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[DataRequest]:
    """Return requests that the public sees, newest first; without a state those that are live."""
    tokens = rules.sought_of(wanted.words) if wanted.words else []
    return _page(
        and_(
            ~DataRequest.withheld,
            DataRequest.state.in_([wanted.state] if wanted.state else LIVE),
            DataRequest.tokens.contains(tokens) if tokens else true(),
            DataRequest.theme == wanted.theme if wanted.theme else true(),
            DataRequest.region.startswith(wanted.region, autoescape=True) if wanted.region else true(),
        ),
        cursor,
        size,
    )


def list_own(actor: Actor, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[DataRequest]:
    """Return the caller's own requests and those it follows, newest first, in whatever state."""
    followed = select(RequestFollower.request_id).where(RequestFollower.organization_id == actor.organization_id)
    own = DataRequest.organization_id == actor.organization_id
    return _page(or_(own, and_(DataRequest.id.in_(followed), ~DataRequest.withheld)), cursor, size)


def list_alike(tokens: Sequence[str], but: str = "", size: int = ALIKE_MAX) -> list[tuple[DataRequest, int]]:
    """Return live requests that share many words with these, nearest first, each with its likeness in percent."""
    asked = {"tokens": list(tokens), "but": but, "size": _CANDIDATES_MAX}
    ids = list(db.session.scalars(_ALIKE, asked)) if tokens else []
    rows = db.session.scalars(select(DataRequest).where(DataRequest.id.in_(ids))).all()
    near = [(row, rules.likeness(row.tokens, list(tokens))) for row in rows]
    near = [one for one in near if one[1] >= rules.ALIKE_PERCENT_MIN]
    return sorted(near, key=lambda one: (-one[1], one[0].id))[:size]


def count_live(organization_id: str) -> int:
    """Return how many requests of an organization are live."""
    live = (DataRequest.organization_id == organization_id, DataRequest.state.in_(LIVE))
    return db.session.scalar(select(func.count()).select_from(DataRequest).where(*live)) or 0


def count_followers(request_ids: Iterable[str]) -> dict[str, int]:
    """Return how many organizations follow each of these requests that is followed."""
    counted = select(RequestFollower.request_id, func.count()).where(RequestFollower.request_id.in_(list(request_ids)))
    rows = db.session.execute(counted.group_by(RequestFollower.request_id)).all()
    return {row[0]: row[1] for row in rows}


def list_followers(request: DataRequest) -> Sequence[str]:
    """Return the organizations that are told what becomes of a request: whoever stated it, and its followers."""
    following = select(RequestFollower.organization_id).where(RequestFollower.request_id == request.id)
    return sorted({request.organization_id, *db.session.scalars(following)})


def standing_of(request: DataRequest, reader: Actor | None) -> Standing | None:
    """Return how a reader stands to a request; None where nobody is signed in."""
    if reader is None:
        return None
    key = (request.id, reader.organization_id)
    pledge = db.session.get(RequestPledge, key)
    pledged = pledge.amount_yen if pledge and pledge.amount_yen else None
    follows = db.session.get(RequestFollower, key) is not None
    return Standing(request.organization_id == reader.organization_id, follows, pledged)


def list_answers(request: DataRequest, reader: Actor | None = None) -> list[dict[str, Any]]:
    """Return the answers that stand, oldest first; the price of a quote is shown to its two sides and to overseers.

    A dataset is named to others as long as the public sees it, an answer with one that it does not see is left out.
    """
    standing = (RequestAnswer.request_id == request.id, RequestAnswer.withdrawn_at.is_(None))
    rows = db.session.scalars(select(RequestAnswer).where(*standing).order_by(RequestAnswer.id)).all()
    listed = listings.find_listings(row.dataset_id for row in rows if row.dataset_id)
    providers = identity.find_organizations({row.organization_id for row in rows})
    return [
        _answer(row, providers[row.organization_id], listed, _may_see_price(request, row, reader))
        for row in rows
        if row.dataset_id is None or row.dataset_id in listed
    ]


def get_answer(request: DataRequest, answer_id: str) -> RequestAnswer:
    """Return an answer to a request that stands, or raise NotFound."""
    found = db.session.get(RequestAnswer, answer_id) if is_id(answer_id) else None
    if found is None or found.request_id != request.id or found.withdrawn_at is not None:
        raise NotFound
    return found


def list_notices(actor: Actor, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Any]:
    """Return what the caller's organization was told of requests, newest first."""
    columns = (RequestNotice.id, RequestNotice.request_id, RequestNotice.event, RequestNotice.about)
    own = select(*columns, RequestNotice.created_at, DataRequest.title).join(DataRequest)
    own = own.where(RequestNotice.organization_id == actor.organization_id)
    after = decode_cursor(cursor, 1)
    if after:
        own = own.where(RequestNotice.id < storable(str(after[0])))
    rows = db.session.execute(own.order_by(RequestNotice.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def find_price_guide(theme: str, price_kind: str, region: str) -> PriceGuide | None:
    """Return what comparable deals cost by the last figure of three years, of a prefecture or else of the country."""
    asked = (PriceGuide.theme == storable(theme), PriceGuide.price_kind == storable(price_kind))
    # Digits stand before JP: the prefecture comes first.
    areas = PriceGuide.region.in_([storable(region)[:2], COUNTRY])
    return db.session.scalar(
        select(PriceGuide)
        .where(PriceGuide.month >= comparing.oldest(f"{clock.today():%Y-%m}"), *asked, areas)
        .order_by(PriceGuide.region.collate("C"), PriceGuide.month.desc())
        .limit(1)
    )


def price_figures(since: str) -> Sequence[Any]:
    """Return of which months, themes, kinds of price and regions something was told of what deals cost."""
    told = select(PriceGuide.month, PriceGuide.theme, PriceGuide.price_kind, PriceGuide.region)
    return db.session.execute(told.where(PriceGuide.month >= since)).all()


def _answer(row: RequestAnswer, provider: Any, listed: dict[str, Any], shows_price: bool) -> dict[str, Any]:
    dataset = listed.get(row.dataset_id or "")
    named = ("id", "request_id", "kind", "words", "created_at", "chosen_at", "dataset_id")
    return {name: getattr(row, name) for name in named} | {
        "provider": {"id": provider.id, "name_ja": provider.name_ja, "name_en": provider.name_en},
        "amount_yen": row.amount_yen if shows_price else None,
        "valid_until": row.valid_until,
        "dataset_title_ja": dataset["title_ja"] if dataset else None,
        "dataset_title_en": dataset["title_en"] if dataset else None,
    }


def _may_see_price(request: DataRequest, row: RequestAnswer, reader: Actor | None) -> bool:
    sides = {request.organization_id, row.organization_id}
    is_side = reader is not None and (reader.organization_id in sides or reader.oversees)
    return row.kind == AnswerKind.QUOTE and is_side


def _is_concerned(request: DataRequest, reader: Actor | None) -> bool:
    return reader is not None and (reader.organization_id == request.organization_id or reader.oversees)


def _page(wanted: ColumnElement[bool], cursor: str | None, size: int) -> Page[DataRequest]:
    statement = select(DataRequest).where(wanted)
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(DataRequest.id < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(DataRequest.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])
