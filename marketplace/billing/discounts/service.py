"""Deeds about discounts: applying for and judging eligibility, issuing coupons; orders take them in ``taking``."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.discounts import queries, rules
from marketplace.billing.discounts.errors import EligibilityDecided, EligibilityWaiting
from marketplace.billing.discounts.models import Coupon, Eligibility
from marketplace.billing.discounts.rules import CouponDraft, EligibilityDraft
from marketplace.billing.discounts.states import MOVES, CouponState, EligibilityState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.licensing import queries as licensing

_AS_RETURNED = {"populate_existing": True, "synchronize_session": False}


def apply(actor: Actor, draft: EligibilityDraft) -> Eligibility:
    """Ask the operator to judge evidence that one's organization belongs to a class; raises EligibilityWaiting."""
    statement = (
        insert(Eligibility)
        .values(
            id=new_id("elg"),
            organization_id=actor.organization_id,
            discount_class=draft.discount_class.value,
            evidence_reference=draft.evidence_reference,
            evidence_sha256=draft.evidence_sha256,
            state=EligibilityState.APPLIED.value,
            single_use=False,
            applied_at=clock.now(),
        )
        .on_conflict_do_nothing(
            index_elements=["organization_id", "discount_class"],
            index_where=Eligibility.state == EligibilityState.APPLIED.value,
        )
        .returning(Eligibility)
    )
    made = db.session.scalars(statement).one_or_none()
    if made is None:
        raise EligibilityWaiting
    _record_eligibility(actor, Verb.ELIGIBILITY_APPLIED, made, evidence_sha256=made.evidence_sha256)
    return made


def grant(actor: Actor, eligibility_id: str, valid_until: datetime, *, single_use: bool = False) -> Eligibility:
    """Find the evidence good until an instant, for one order alone where ``single_use``.

    Raises NotFound, Invalid or EligibilityDecided.
    """
    rules.check_validity(valid_until, clock.now())
    granted = _decide(eligibility_id, EligibilityState.GRANTED, valid_until=valid_until, single_use=single_use)
    facts = {"valid_until": clock.text(valid_until), "single_use": single_use}
    _record_eligibility(actor, Verb.ELIGIBILITY_GRANTED, granted, **facts)
    return granted


def refuse(actor: Actor, eligibility_id: str, reason: str) -> Eligibility:
    """Find the evidence wanting, also where it was found good before; raises NotFound or EligibilityDecided.

    Orders placed meanwhile keep their price.
    """
    refused = _decide(eligibility_id, EligibilityState.REFUSED, decision_reason=reason)
    facts = {"reason_sha256": sha256_hex(reason.encode())}
    _record_eligibility(actor, Verb.ELIGIBILITY_REFUSED, refused, **facts)
    return refused


def issue_coupon(actor: Actor, draft: CouponDraft) -> tuple[Coupon, str]:
    """Make a coupon for one's own offers; returns it with its code, of which only the hash is kept.

    Raises Invalid, and NotFound where the offer is not one's own.
    """
    now = clock.now()
    rules.check_coupon(draft, now)
    if draft.offer_id is not None:
        licensing.get_own_offer(actor, draft.offer_id)
    code = rules.new_code()
    coupon = Coupon(
        id=new_id("cpn"),
        organization_id=actor.organization_id,
        offer_id=draft.offer_id,
        code_sha256=rules.code_sha256(code),
        basis_points=draft.basis_points,
        amount_yen=draft.amount_yen,
        valid_from=draft.valid_from or now,
        valid_until=draft.valid_until,
        max_redemptions=draft.max_redemptions,
        redemptions=0,
        state=CouponState.OPEN.value,
        created_at=now,
    )
    db.session.add(coupon)
    db.session.flush()
    facts = {"basis_points": coupon.basis_points, "offer": coupon.offer_id, "max_redemptions": coupon.max_redemptions}
    audit.record(actor, Verb.COUPON_ISSUED, subject=coupon.id, amount_minor=coupon.amount_yen, facts=facts)
    return coupon, code


def end_coupon(actor: Actor, coupon_id: str) -> Coupon:
    """Let a coupon of one's own be redeemed no longer; doing it again changes nothing. Raises NotFound."""
    coupon = queries.get_coupon(actor, coupon_id)
    if coupon.organization_id != actor.organization_id:
        raise NotFound
    still_open = (Coupon.id == coupon.id, Coupon.state == CouponState.OPEN.value)
    statement = update(Coupon).where(*still_open).values(state=CouponState.ENDED.value).returning(Coupon)
    if db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none() is not None:
        audit.record(actor, Verb.COUPON_ENDED, subject=coupon.id, facts={"redemptions": coupon.redemptions})
    return coupon


def _decide(eligibility_id: str, to: EligibilityState, **values: Any) -> Eligibility:
    found = queries.find_eligibility(eligibility_id)
    if found is None:
        raise NotFound
    statement = (
        update(Eligibility)
        .where(Eligibility.id == found.id, Eligibility.state.in_(MOVES[to]))
        .values(state=to.value, decided_at=clock.now(), **values)
        .returning(Eligibility)
    )
    decided = db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none()
    if decided is None:
        db.session.refresh(found)
        raise EligibilityDecided(state=found.state)
    return decided


def _record_eligibility(actor: Actor, verb: Verb, eligibility: Eligibility, **facts: Any) -> None:
    counterparty = eligibility.organization_id if actor.organization_id != eligibility.organization_id else None
    facts = {"class": eligibility.discount_class} | facts
    audit.record(actor, verb, subject=eligibility.id, counterparty=counterparty, facts=facts)
