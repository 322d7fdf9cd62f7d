"""Deeds of reputation: rating what one bought, replying, hiding what offends, and telling of providers once a month."""

from datetime import date
from typing import Any

from sqlalchemy import literal_column, text, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable
from marketplace.reputation import facts, queries, rules
from marketplace.reputation.errors import RaterInvolved
from marketplace.reputation.models import ProviderStanding, Rating
from marketplace.reputation.rules import RatingDraft

# Who bought holds a grant, or held it: refunded, revoked and expired ones too.
_BOUGHT = text("""
SELECT d.organization_id AS provider_id,
       EXISTS (SELECT FROM offer o WHERE o.dataset_id = d.id
                  AND o.shares @> jsonb_build_array(jsonb_build_object('organization_id', CAST(:buyer AS text))))
    OR EXISTS (SELECT FROM delegation g WHERE g.delegator_id = d.organization_id AND g.delegate_id = :buyer
                  AND g.ended_at IS NULL) AS involved
  FROM dataset d
 WHERE d.id = :dataset AND d.organization_id <> :buyer
   AND EXISTS (SELECT FROM access_grant a WHERE a.dataset_id = d.id AND a.organization_id = :buyer)
""")


def rate(actor: Actor, dataset_id: str, draft: RatingDraft) -> Rating:
    """Say what the caller's organization thinks of a dataset that it bought, in place of what it said before.

    What the operator hid stays hidden. Raises NotFound for whoever bought nothing of it, RaterInvolved, or Invalid.
    """
    rules.check_draft(draft)
    provider_id = require_buyer(actor, dataset_id)
    rating_id, is_new = _put(actor, dataset_id, provider_id, draft)
    verb = Verb.RATING_GIVEN if is_new else Verb.RATING_CHANGED
    _record(actor, verb, rating_id, dataset_id, provider_id, stars=draft.stars, sha256=_digest(draft))
    return queries.get_rating(rating_id)


def require_buyer(actor: Actor, dataset_id: str) -> str:
    """Return of which provider the caller bought a dataset that it may rate; raises NotFound or RaterInvolved."""
    asked = {"dataset": storable(dataset_id), "buyer": actor.organization_id}
    bought = db.session.execute(_BOUGHT, asked).first()
    if bought is None:
        raise NotFound("Your organization has bought no dataset with this id.")
    if bought.involved:
        raise RaterInvolved
    return str(bought.provider_id)


def may_rate(actor: Actor, dataset_id: str) -> bool:
    """Tell whether the caller's organization bought a dataset and has no part in its revenue."""
    try:
        require_buyer(actor, dataset_id)
    except (NotFound, RaterInvolved):
        return False
    return True


def withdraw(actor: Actor, dataset_id: str) -> None:
    """Take back what the caller's organization said of a dataset, words and all; raises NotFound."""
    own = (Rating.organization_id == actor.organization_id, Rating.dataset_id == storable(dataset_id))
    gone = update(Rating).where(*own, Rating.withdrawn_at.is_(None)).values(
        withdrawn_at=clock.now(), text_ja="", text_en="", reply_ja="", reply_en="", replied_at=None
    )  # fmt: skip
    row = db.session.execute(gone.returning(Rating.id, Rating.provider_organization_id), **_PLAIN).first()
    if row is None:
        raise NotFound
    _record(actor, Verb.RATING_WITHDRAWN, row.id, dataset_id, row.provider_organization_id)


def reply(actor: Actor, rating_id: str, ja: str, en: str) -> Rating:
    """Reply to a rating of a dataset of the caller's, in place of what was replied before; no words take it back.

    Raises NotFound for all others, or Invalid.
    """
    rules.check_words(ja, en, "text")
    standing = (Rating.id == storable(rating_id), Rating.withdrawn_at.is_(None), Rating.hidden_at.is_(None))
    own = Rating.provider_organization_id == actor.organization_id
    replied_at = clock.now() if ja or en else None
    values = {"reply_ja": ja, "reply_en": en, "replied_at": replied_at}
    answered = (
        update(Rating).where(*standing, own).values(**values).returning(Rating.dataset_id, Rating.organization_id)
    )
    row = db.session.execute(answered, **_PLAIN).first()
    if row is None:
        raise NotFound
    _record(actor, Verb.RATING_REPLIED, rating_id, row.dataset_id, None, sha256=digest_of({"ja": ja, "en": en}))
    return queries.get_rating(rating_id)


def hide(actor: Actor, rating_id: str, reason: str) -> Rating:
    """Hide a rating with its reply from all but its author and overseers; raises NotFound or Invalid.

    What is hidden already keeps its reason.
    """
    rules.check_reason(reason)
    rating = queries.get_rating(rating_id)
    values = {"hidden_at": clock.now(), "hidden_reason": reason}
    if changed_rows(update(Rating).where(Rating.id == rating.id, Rating.hidden_at.is_(None)).values(**values)):
        sha256 = digest_of({"reason": reason})
        _record(actor, Verb.RATING_HIDDEN, rating.id, rating.dataset_id, rating.organization_id, reason_sha256=sha256)
    return queries.get_rating(rating_id)


def unhide(actor: Actor, rating_id: str) -> Rating:
    """Show a rating again that was hidden; raises NotFound."""
    rating = queries.get_rating(rating_id)
    values: dict[str, Any] = {"hidden_at": None, "hidden_reason": None}
    if changed_rows(update(Rating).where(Rating.id == rating.id, Rating.hidden_at.is_not(None)).values(**values)):
        _record(actor, Verb.RATING_SHOWN, rating.id, rating.dataset_id, rating.organization_id)
    return queries.get_rating(rating_id)


def tell(provider_id: str, last: date) -> bool:
    """Tell once how a provider's twelve months went that end with this one; returns whether it is news."""
    counted = facts.of_months(provider_id, last)
    span = {"first_month": f"{facts.first_month(last):%Y-%m}", "last_month": f"{last:%Y-%m}"}
    document = span | rules.tell(counted, settings.current().register_threshold)
    row = {"organization_id": provider_id, "month": span["last_month"], "document": document}
    made = insert(ProviderStanding).values(**row, published_at=clock.now()).on_conflict_do_nothing()
    if db.session.scalar(made.returning(ProviderStanding.month), **_PLAIN) is None:
        return False
    told = {"month": span["last_month"], "sha256": digest_of(document)}
    audit.record(SYSTEM, Verb.STANDING_PUBLISHED, subject=provider_id, counterparty=provider_id, facts=told)
    return True


_PLAIN: dict[str, Any] = {"execution_options": {"synchronize_session": False}}


def _put(actor: Actor, dataset_id: str, provider_id: str, draft: RatingDraft) -> tuple[str, bool]:
    now = clock.now()
    said = {"stars": draft.stars, "text_ja": draft.text_ja, "text_en": draft.text_en, "shows_name": draft.shows_name}
    fresh = said | {"updated_at": now, "withdrawn_at": None}
    first = {"id": new_id("rat"), "dataset_id": dataset_id, "organization_id": actor.organization_id, "created_at": now}
    silent = {"provider_organization_id": provider_id, "reply_ja": "", "reply_en": ""}
    statement = insert(Rating).values(**first, **silent, **fresh)
    key = ["dataset_id", "organization_id"]
    put = statement.on_conflict_do_update(index_elements=key, set_=fresh)
    row = db.session.execute(put.returning(Rating.id, literal_column("xmax = 0").label("is_new")), **_PLAIN).one()
    return row.id, bool(row.is_new)


def _digest(draft: RatingDraft) -> str:
    return digest_of({"ja": draft.text_ja, "en": draft.text_en})


def _record(actor: Actor, verb: Verb, rating_id: str, dataset_id: str, other_id: str | None, **told: Any) -> None:
    audit.record(actor, verb, subject=rating_id, dataset=dataset_id, counterparty=other_id, facts=told)
