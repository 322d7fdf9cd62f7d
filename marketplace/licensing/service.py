"""Deeds of licensing: writing terms, making and ending offers, accepting terms."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.groups import queries as groups
from marketplace.catalog.states import DatasetState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity, OrganizationState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.licensing import queries, reading, rules
from marketplace.licensing.errors import BuyerNotEligible, OfferNotOpen, PayeeNotEligible, RowsNotCounted
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.offers import discounts_of_draft, shares_of_draft
from marketplace.licensing.prices import price_document
from marketplace.licensing.rules import OfferDraft, TermsDraft
from marketplace.licensing.service_levels import steps_document
from marketplace.licensing.states import OfferState, Template, UsageUnit
from marketplace.privacy import listable

TITLE_MAX = 200


def write_terms(actor: Actor, draft: TermsDraft) -> Terms:
    """Keep usage terms; writing the same items again gives back what was written first, with its titles.

    Raises Invalid; the pointers of items are relative to the document.
    """
    terms = rules.read_terms(draft.document)
    sha256 = rules.terms_sha256(terms)
    title_ja, title_en = _titles(draft, terms.template)
    statement = insert(Terms).values(
        id=new_id("trm"),
        organization_id=actor.organization_id,
        title_ja=title_ja,
        title_en=title_en,
        template=terms.template.value,
        document=rules.terms_document(terms),
        sha256=sha256,
        created_at=clock.now(),
    )
    unseen = statement.on_conflict_do_nothing(index_elements=["organization_id", "sha256"])
    is_new = db.session.scalar(unseen.returning(Terms.id)) is not None
    written = queries.get_own_terms(actor, sha256)
    if is_new:
        facts = {"sha256": sha256, "template": written.template}
        audit.record(actor, Verb.TERMS_WRITTEN, subject=written.id, facts=facts)
    return written


def make_offer(actor: Actor, draft: OfferDraft) -> Offer:
    """Offer one's own dataset under one's own terms at a price.

    Raises NotFound, DatasetWithdrawn, what ``listable.require`` raises, or Invalid.
    """
    terms = _check(actor, draft)
    offer = _insert(draft, terms, version=1, supersedes=None)
    _record(actor, Verb.OFFER_MADE, offer)
    return offer


def require_offerable(actor: Actor, draft: OfferDraft) -> Terms:
    """Return the terms of an offer that could be made; raises as making it does."""
    return _check(actor, draft)


def supersede_offer(actor: Actor, offer_id: str, draft: OfferDraft) -> Offer:
    """Put a new version in the place of an open offer; of many who try, one succeeds.

    Raises NotFound, OfferNotOpen, DatasetWithdrawn, what ``listable.require`` raises, or Invalid.
    """
    before = queries.get_own_offer(actor, offer_id)
    if draft.dataset_id != before.dataset_id:
        raise Invalid(errors=[{"pointer": "/dataset_id", "detail": "a new version stays with its dataset"}])
    terms = _check(actor, draft)
    _close(before, OfferState.SUPERSEDED)
    offer = _insert(draft, terms, version=before.version + 1, supersedes=before.id)
    _record(actor, Verb.OFFER_SUPERSEDED, offer, supersedes=before.id)
    return offer


def withdraw_offer(actor: Actor, offer_id: str) -> Offer:
    """Take an open offer from the market; what was bought under it stays. Raises NotFound or OfferNotOpen."""
    offer = queries.get_own_offer(actor, offer_id)
    _close(offer, OfferState.WITHDRAWN)
    _record(actor, Verb.OFFER_WITHDRAWN, offer)
    return offer


def accept_terms(actor: Actor, terms_sha256: str) -> Acceptance:
    """Bind the caller's organization to the terms that the hash names; doing it again gives back the first.

    Raises NotFound where no open offer stands under such terms.
    """
    accepted = queries.find_acceptance(actor.organization_id, terms_sha256)
    if accepted is not None:
        return accepted
    offerers = queries.list_offerers(terms_sha256, actor, groups.sight_of(actor))
    if not offerers:
        raise NotFound("No open offer stands under terms with this hash.")
    is_new = db.session.scalar(_acceptance(actor, terms_sha256)) is not None
    accepted = queries.require_acceptance(actor.organization_id, terms_sha256)
    if is_new:
        counterparty = offerers[0] if len(offerers) == 1 else None
        facts = {"sha256": terms_sha256}
        audit.record(actor, Verb.TERMS_ACCEPTED, subject=accepted.id, counterparty=counterparty, facts=facts)
    return accepted


def require_counted(release_id: str, pointer: str = "") -> None:
    """Refuse to sell a release by the row that has files without a count; raises RowsNotCounted, which names them."""
    uncounted = catalog.uncounted_file_names(release_id)
    if uncounted:
        raise RowsNotCounted(errors=[{"pointer": pointer, "detail": name} for name in uncounted[:10]])


def _titles(draft: TermsDraft, template: Template) -> tuple[str, str]:
    collector = reading.Collector()
    titles = []
    for pointer, given, of_template in (
        ("/title_ja", draft.title_ja, template.ja),
        ("/title_en", draft.title_en, template.en),
    ):
        wanted = of_template if given is None and template is not Template.CUSTOM else given
        title = collector.take(reading.text, wanted, pointer, "")
        if len(title) > TITLE_MAX:
            collector.add(pointer, f"at most {TITLE_MAX} characters are allowed")
        titles.append(title)
    collector.settle()
    return titles[0], titles[1]


def _check(actor: Actor, draft: OfferDraft) -> Terms:
    dataset = catalog.get_own_dataset(actor, draft.dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    terms = queries.get_own_terms(actor, draft.terms_id)
    items = queries.usage_terms(terms)
    listable.require(draft.dataset_id, items.personal_data.code, "/terms_id")
    rules.check_offer(draft, items, clock.now(), clock.today())
    _check_parties(actor, draft)
    _check_rows(draft)
    return terms


def _check_parties(actor: Actor, draft: OfferDraft) -> None:
    named = [share.organization_id for share in draft.shares]
    if named and actor.organization_id not in named:
        raise Invalid(errors=[{"pointer": "/shares", "detail": "the provider itself has a share, if only a small one"}])
    for index, organization_id in enumerate(named):
        if not _may(organization_id, Capacity.PROVIDER):
            detail = "not a verified provider of business kind"
            raise PayeeNotEligible(errors=[{"pointer": f"/shares/{index}/organization_id", "detail": detail}])
    buyer_id = draft.buyer_organization_id
    if buyer_id is not None and (buyer_id == actor.organization_id or not _may(buyer_id, Capacity.BUYER)):
        raise BuyerNotEligible(errors=[{"pointer": "/buyer_organization_id", "detail": "not a verified buyer"}])


def _may(organization_id: str, capacity: Capacity) -> bool:
    # Nobody learns from the refusal whether such an organization exists, or only is not verified.
    organization = identity.find_organization(organization_id)
    return (
        organization is not None
        and organization.state == OrganizationState.VERIFIED
        and capacity.value in organization.capacities
    )


def _check_rows(draft: OfferDraft) -> None:
    if draft.price.unit is not UsageUnit.ROW:
        return
    for release_id in catalog.published_release_ids(draft.dataset_id)[:1]:
        require_counted(release_id, "/price/unit")


def _insert(draft: OfferDraft, terms: Terms, *, version: int, supersedes: str | None) -> Offer:
    offer = Offer(
        id=new_id("ofr"),
        dataset_id=draft.dataset_id,
        organization_id=terms.organization_id,
        terms_id=terms.id,
        terms_sha256=terms.sha256,
        price_kind=draft.price.kind.value,
        amount_yen=draft.price.amount_yen,
        price=price_document(draft.price),
        rails=[rail.value for rail in draft.chosen_rails],
        shares=shares_of_draft(draft, terms.organization_id),
        discounts=discounts_of_draft(draft.discounts),
        fee_ordinance=draft.fee_ordinance,
        cancellation=draft.cancellation.value,
        service_level=steps_document(draft.service_level),
        buyer_organization_id=draft.buyer_organization_id,
        valid_until=draft.valid_until,
        **asdict(draft.limits),
        release_scope=draft.release_scope.value,
        version=version,
        supersedes=supersedes,
        state=OfferState.OPEN.value,
        created_at=clock.now(),
    )
    db.session.add(offer)
    db.session.flush()
    return offer


def _close(offer: Offer, state: OfferState) -> None:
    is_open = (Offer.id == offer.id, Offer.state == OfferState.OPEN.value)
    statement = update(Offer).where(*is_open).values(state=state.value).returning(Offer.id)
    closed = db.session.scalar(statement.execution_options(synchronize_session=False))
    db.session.refresh(offer)
    if closed is None:
        raise OfferNotOpen(state=offer.state)


def _acceptance(actor: Actor, terms_sha256: str) -> Any:
    statement = insert(Acceptance).values(
        id=new_id("acc"),
        organization_id=actor.organization_id,
        client_id=actor.client_id,
        member_id=actor.member_id,
        terms_sha256=terms_sha256,
        accepted_at=clock.now(),
    )
    unseen = statement.on_conflict_do_nothing(index_elements=["organization_id", "terms_sha256"])
    return unseen.returning(Acceptance.id)


def _record(actor: Actor, verb: Verb, offer: Offer, **facts: Any) -> None:
    audit.record(
        actor,
        verb,
        subject=offer.id,
        counterparty=offer.buyer_organization_id,
        dataset=offer.dataset_id,
        amount_minor=offer.amount_yen,
        facts={"sha256": offer.terms_sha256, "price_kind": offer.price_kind, "version": offer.version, **facts},
    )
