"""Listing: from an uploaded file to a dataset that everybody finds, and back."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from marketplace.access import service as access
from marketplace.catalog import joins, listings, profiling, queries, service, sketches, waiting
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.groups import service as groups
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.states import DatasetState, ProfileState
from marketplace.delivery.stores import Stored
from marketplace.exchange import announcing, disposing, facilities, foreign, gate, news, policing, showcase, tabular
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotDelegated, TrustTooLow
from marketplace.identity.states import Trust
from marketplace.kit import clock, jobs, settings
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as offers
from marketplace.licensing import service as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import OfferDraft
from marketplace.licensing.states import PriceKind
from marketplace.privacy import service as privacy
from marketplace.reputation import queries as reputation

PROFILE_GIVEN_UP_AFTER = timedelta(hours=1)
EXPIRED_LATELY = timedelta(days=2)


def receive(chunks: Iterable[bytes], sha256: str | None, size_bytes: int | None) -> Stored:
    """Stream a body into the store, before any transaction is open, at constant memory.

    ``sha256`` and ``size_bytes`` are what the sender announced, and are compared. Bytes that no release comes to
    name within a day are removed. Raises what the store raises, and MyNumberFound for bytes that were refused before.
    """
    return disposing.receive(chunks, settings.current().upload_size_bytes_max, sha256, size_bytes)


def attach(actor: Actor, release_id: str, name: str, media_type: str, stored: Stored) -> File:
    """Name received bytes as a file of a draft release; its profile is made in the background.

    Raises MyNumberFound for bytes in which My Numbers were found before.
    """
    privacy.refuse_blocked(stored.sha256)
    file = service.attach_file(actor, release_id, name, media_type, stored.sha256, stored.size_bytes)
    disposals.named(stored.sha256)
    return file


@jobs.task("catalog.profile", slow=True)
def profile(file_id: str) -> None:
    """Profile one file in its sandbox and look there for people; a file that cannot be read says so."""
    file = queries.find_file_by_id(file_id)
    if file is None or file.profile_state != ProfileState.PENDING:
        return
    if gate.refuse_unseen(file):
        return
    means = facilities.current()
    with means.store.open(file.sha256) as stored:
        found = profiling.profile_file(Path(stored.name), file.name, limits(means))
        looked = gate.looked(Path(stored.name), found.document)
    with transaction():
        # It may have been taken out of its release meanwhile.
        if queries.find_file_by_id(file_id) is not None:
            service.record_profile(file_id, found.document, ProfileState(found.state))
            gate.keep(file_id, looked)
            sketches.keep(file.sha256, found, but=gate.columns_of_people(file_id))
            jobs.enqueue("catalog.look_over", dataset_id=queries.get_release(file.release_id).dataset_id)


@jobs.task("catalog.profile_left", cron="23 * * * *")
def profile_left() -> None:
    """Take up again the files whose profiling was given up: without a profile their release stays a draft."""
    with transaction():
        for file_id in queries.unprofiled_file_ids(clock.now() - PROFILE_GIVEN_UP_AFTER):
            jobs.enqueue(service.PROFILE_JOB, file_id=file_id)


def publish(actor: Actor, release_id: str) -> Release:
    """Make a release visible, open it to the grants that include future releases, and list it.

    Raises what the gate raises (``gate.require_publishable``) and nothing is published then.
    Raises RowsNotCounted while the dataset is for sale by the row and the release has a file without a count: its
    rows would be metered as none. Raises PolicyNotEnforceable while a part of it is for sale that cannot be made.
    """
    _stand_in_line(actor, queries.get_own_release(actor, release_id).dataset_id)
    release = service.publish_release(actor, release_id)
    gate.require_publishable(release.id, release.dataset_id)
    if offers.has_open_row_offer(release.dataset_id):
        licensing.require_counted(release.id)
    policing.require_publishable(release.dataset_id, release.id)
    access.extend_to_release(release.dataset_id, release.id, actor)
    tabular.ask_for_release(release.id)
    jobs.enqueue("catalog.look_over", dataset_id=release.dataset_id)
    refresh(release.dataset_id)
    return release


def withdraw_release(actor: Actor, release_id: str) -> Release:
    """Hide a release; whoever bought it keeps it."""
    _stand_in_line(actor, queries.get_own_release(actor, release_id).dataset_id)
    release = service.withdraw_release(actor, release_id)
    refresh(release.dataset_id)
    return release


def revise(actor: Actor, dataset_id: str, changes: dict[str, Any], expected_version: int) -> Dataset:
    """Change what is said of a dataset, and list it anew."""
    _stand_in_line(actor, dataset_id)
    dataset = service.revise_dataset(actor, dataset_id, changes, expected_version)
    if "licence_hint" in changes:
        jobs.enqueue("catalog.look_over", dataset_id=dataset_id)
    refresh(dataset_id)
    return dataset


def set_audience(actor: Actor, dataset_id: str, group_id: str | None) -> Dataset:
    """List a dataset to a private group of one's own alone, or to everybody again; raises NotFound, DatasetWithdrawn.

    From this transaction on nobody else reads it, and no search tells of it. Grants stay as they are.
    """
    _stand_in_line(actor, dataset_id)
    dataset = groups.set_audience(actor, dataset_id, group_id)
    refresh(dataset_id)
    return dataset


def withdraw_dataset(actor: Actor, dataset_id: str) -> Dataset:
    """Hide a dataset with all its releases; grants stay as they are."""
    _stand_in_line(actor, dataset_id)
    # The withdrawal itself takes the listing away.
    with news.telling(dataset_id):
        dataset = service.withdraw_dataset(actor, dataset_id)
        refresh(dataset_id)
    return dataset


def make_offer(actor: Actor, draft: OfferDraft) -> Offer:
    """Offer a dataset, and show the offer where the dataset is listed.

    Raises TrustTooLow, PolicyNotEnforceable, AssessmentMissing, and what licensing raises.
    """
    _stand_in_line(actor, draft.dataset_id)
    _require_trust_to_sell(actor, draft)
    _refuse_own_gain(actor, draft)
    offer = licensing.make_offer(actor, draft)
    gate.require_assessed(offer)
    policing.require_enforceable(offer.dataset_id, offer.terms_id)
    refresh(offer.dataset_id)
    return offer


def supersede_offer(actor: Actor, offer_id: str, draft: OfferDraft) -> Offer:
    """Put a new version in the place of an offer."""
    before = offers.get_own_offer(actor, offer_id)
    _stand_in_line(actor, before.dataset_id)
    _require_trust_to_sell(actor, draft)
    _refuse_own_gain(actor, draft, before)
    offer = licensing.supersede_offer(actor, offer_id, draft)
    gate.require_assessed(offer)
    policing.require_enforceable(offer.dataset_id, offer.terms_id)
    refresh(offer.dataset_id)
    return offer


def withdraw_offer(actor: Actor, offer_id: str) -> Offer:
    """Take an offer from the market; grants bought under it stay."""
    _stand_in_line(actor, offers.get_own_offer(actor, offer_id).dataset_id)
    offer = licensing.withdraw_offer(actor, offer_id)
    refresh(offer.dataset_id)
    return offer


@jobs.task("licensing.offers_expired", cron="7 * * * *")
def refresh_expired() -> None:
    """List anew the datasets of which an offer expired lately: nobody's deed would take it off their documents."""
    with transaction():
        expired = offers.datasets_of_expired(clock.now() - EXPIRED_LATELY)
    for dataset_id in expired:
        with transaction():
            listings.stand_in_line(dataset_id)
            refresh(dataset_id)


def refresh(dataset_id: str) -> None:
    """Materialise the document of a dataset anew for its audience, or drop it, and have the index follow."""
    dataset = queries.get_dataset(dataset_id)
    with news.telling(dataset_id):
        if _is_shown(dataset):
            shown = showcase.document(dataset)
            listings.put_listing(dataset_id, shown)
            announcing.heed(dataset_id)
            joins.follow(dataset_id, shown if dataset.audience is None else None)
        else:
            listings.drop_listing(dataset_id)
            joins.follow(dataset_id, None)
    waiting.wait(dataset_id)
    jobs.enqueue("catalog.index")


def show_made(dataset_ids: Sequence[str]) -> None:
    """List foreign records that this very transaction has made datasets of: at once, and in few statements."""
    made = [dataset for _id, dataset in sorted(queries.find_datasets(dataset_ids).items())]
    if not made:
        return
    beside, of = foreign.shown_of(made), showcase.publisher(made[0].organization_id)
    said = reputation.of_newcomer(made[0].organization_id)
    documents = [showcase.bare(dataset, of, beside[dataset.id], said) for dataset in made]
    listings.put_new(documents)
    news.tell_made(documents)
    waiting.wait_all(dataset_ids)
    jobs.enqueue("catalog.index")


@jobs.task("catalog.index")
def index() -> None:
    """Bring the search index to what is listed now: all that waits, whoever asked for it, in few commits."""
    while waiting.is_any():
        with waiting.one_at_a_time() as mine:
            if not mine:
                return
            _index_next()


def _index_next() -> None:
    # Numbers before documents: a document is then as new as its number, or newer.
    with transaction():
        turns = waiting.list_next()
        documents = listings.find_for_index(turn.dataset_id for turn in turns)
    if not turns:
        return
    refused = facilities.current().index.follow({turn.dataset_id: documents.get(turn.dataset_id) for turn in turns})
    # Killed here, we follow once more, to the same end.
    with transaction():
        waiting.cross_off([turn for turn in turns if turn.dataset_id not in refused])
        waiting.put_aside([turn for turn in turns if turn.dataset_id in refused])


@jobs.task("catalog.index_left", cron="53 * * * *")
def index_left() -> None:
    """Take up again what the index refused, and what waits since its job was given up."""
    with transaction():
        if waiting.take_up_again():
            jobs.enqueue("catalog.index")


def ensure_index() -> None:
    """Have the search index made anew in the background where it is absent or damaged."""
    if not facilities.current().index.is_usable():
        with transaction():
            # Of several servers that start on one folder, one after another: the index has one writer.
            jobs.enqueue("catalog.rebuild", lock="catalog.rebuild")


@jobs.task("catalog.rebuild")
def rebuild() -> None:
    """Make the search index anew, as a job, and bring it to what has changed meanwhile."""
    rebuild_index()
    index()


def rebuild_index() -> int:
    """Make the search index anew from the listings; returns how many there are."""
    facilities.current().index.rebuild(listings.all_for_index())
    return listings.count_listings()


def find_keys() -> None:
    """Find the keys of all public datasets anew, some at a time, each as it is listed by then.

    Once for a database, after an upgrade: what is listed from then on brings its own.
    """
    documents = listings.all_documents()
    while some := [str(document["id"]) for document in islice(documents, listings.BATCH_ROWS)]:
        with transaction():
            for dataset_id in sorted(some):
                listings.stand_in_line(dataset_id)
                listed = listings.find_listing(dataset_id)
                joins.follow(dataset_id, listed.document if listed else None)


def import_ckan(actor: Actor, package: dict[str, Any]) -> Dataset:
    """Take over a CKAN package and list it: it is public where it comes from, with or without files here."""
    dataset = service.import_ckan_package(actor, package)
    refresh(dataset.id)
    return dataset


def _refuse_own_gain(actor: Actor, draft: OfferDraft, before: Offer | None = None) -> None:
    """Refuse a delegate what its delegator decides alone: who shares in the revenue, and what the delegate gets."""
    if actor.delegate_id is None:
        return
    sharing = {share.organization_id for share in draft.shares}
    sharing |= {share["organization_id"] for share in before.shares} if before is not None else set()
    if sharing - {actor.organization_id} or draft.buyer_organization_id == actor.delegate_id:
        raise NotDelegated("Shares, and offers to the delegate alone, are made by the organization itself.")


def _require_trust_to_sell(actor: Actor, draft: OfferDraft) -> None:
    """Refuse a price to a provider whom the operator does not trust as far as the settings ask; free is free to all."""
    required = Trust(settings.current().trust_to_sell)
    trust = Trust(identity.get_organization(actor.organization_id).trust)
    if draft.price.kind is not PriceKind.FREE and not trust.reaches(required):
        raise TrustTooLow(trust=trust.value, trust_required=required.value)


def _stand_in_line(actor: Actor, dataset_id: str) -> None:
    # Only the owner's stories wait for each other: strangers are told "not found" before they hold anything.
    listings.stand_in_line(queries.get_own_dataset(actor, dataset_id).id)


def _is_shown(dataset: Dataset) -> bool:
    is_imported = dataset.origin_id is not None and dataset.state == DatasetState.DRAFT
    return is_imported or dataset.state == DatasetState.PUBLISHED


def limits(means: facilities.Facilities) -> profiling.ProfileLimits:
    """Return within which memory and time a file is profiled, and how much of it is shown."""
    return profiling.ProfileLimits(
        memory_bytes=means.settings.profile_memory_bytes_max,
        cpu_seconds=means.settings.profile_cpu_seconds_max,
        preview_rows=means.settings.preview_rows_max,
    )
