"""The public document of a dataset, composed of what catalogue and licensing know of it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson

from marketplace.access import trials
from marketplace.catalog import coverage, dictionary, punctuality, quality
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.rules import COLUMN_NAMES_MAX
from marketplace.exchange import foreign
from marketplace.identity import queries as identity
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, SIZE_MAX, Page
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import METERED
from marketplace.licensing.states import PriceKind
from marketplace.privacy import masking
from marketplace.privacy import queries as privacy
from marketplace.reputation import queries as reputation

RELEASES_SHOWN = 50
FILES_SHOWN = 200
PROFILE_BYTES_SHOWN = 4 * 2**20
PRICE_CLASSES = {kind: "metered" if kind in METERED else kind.value for kind in PriceKind}


class Manner(NamedTuple):
    """How profiles of a dataset are shown.

    Whether parts of it are sold, which columns are said to be personal, and what the gate found, by file.
    """

    is_policed: bool
    said: dict[str, bool]
    found: dict[str, list[masking.ColumnFound]]


class Contents(NamedTuple):
    """What a dataset holds and is offered for, as far as it is shown."""

    releases_total: int
    releases: list[tuple[Release, Sequence[File]]]
    formats: set[str]
    columns: list[str]
    offers: Sequence[Offer]
    manner: Manner


def document(dataset: Dataset) -> dict[str, Any]:
    """Return everything about a published dataset that anybody may see, as JSON.

    It is read with every search that finds it, so it is bounded: the newest releases, the first files of
    each, and profiles as long as they fit; ``releases_total`` and ``files_total`` say how many there are.
    Formats and columns are those of all files of these releases.
    """
    published = catalog.published_release_ids(dataset.id)
    shown = published[:RELEASES_SHOWN]
    releases = [
        (catalog.get_release(release_id), catalog.list_files(release_id, size=FILES_SHOWN)) for release_id in shown
    ]
    offers = licensing.list_offers(dataset.id, size=SIZE_MAX).items
    here, whence = catalog.contents_of(shown), foreign.shown(dataset)
    manner, formats = _manner(dataset, releases), {*here[0], *whence.formats}
    contents = Contents(len(published), releases, formats, here[1], offers, manner)
    beside = whence.parts | {"trial": _trial(dataset.id)}
    composed = _composed(dataset, publisher(dataset.organization_id), contents, beside)
    return composed | reputation.of_document(dataset, composed)


def bare(dataset: Dataset, of: dict[str, Any], whence: foreign.Shown, said: dict[str, Any]) -> dict[str, Any]:
    """Return the public document of a dataset that was made a moment ago, without asking for what it cannot have yet.

    ``of`` is its publisher as ``publisher`` tells of it, ``said`` what is said of one that nobody has bought yet.
    """
    manner = Manner(is_policed=False, said=dictionary.personal_of(dataset.dictionary), found={})
    contents = Contents(0, [], whence.formats, [], [], manner)
    return _composed(dataset, of, contents, whence.parts | said | {"trial": None})


def _composed(dataset: Dataset, of: dict[str, Any], contents: Contents, beside: dict[str, Any]) -> dict[str, Any]:
    releases, columns, offers, manner = contents.releases, contents.columns, contents.offers, contents.manner
    files = [file for _release, files in releases for file in files]
    profiled = _fitting(files)
    document = {
        "id": dataset.id,
        **{name: getattr(dataset, name) for name in _DESCRIBED},
        "frequency": dataset.update_frequency,
        "publisher": of,
        "formats": sorted(contents.formats),
        "columns": columns[:COLUMN_NAMES_MAX],
        "price_classes": sorted({PRICE_CLASSES[PriceKind(offer.price_kind)] for offer in offers}),
        "published_at": _latest(dataset, releases),
        "releases_total": contents.releases_total,
        "releases": [_release(release, files, profiled, manner) for release, files in releases],
        "offers": [_offer(offer) for offer in offers],
    }
    return document | beside | _understood(document, dataset)


def _understood(document: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Return what follows from a public document: what it covers, until when it is fresh, and how good it is."""
    due = punctuality.next_due(dataset.update_frequency, max(quality.published_moments(document), default=None))
    return {
        "temporal": coverage.temporal(document),
        "bbox": coverage.bounding_box(document),
        "due_at": clock.text(due) if due else None,
        "column_notes": dataset.dictionary,
        "quality": quality.assess(document, dataset.dictionary, clock.now()).document(),
    }


def _trial(dataset_id: str) -> dict[str, Any] | None:
    policy = trials.find_policy(dataset_id)
    named = ("terms_id", "terms_sha256", "duration_days", "quota_bytes")
    return {name: getattr(policy, name) for name in named} if policy else None


def list_files(
    dataset_id: str, release_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[dict[str, Any]]:
    """Return the files of a release that anybody may see, by name, each as in the public document of its dataset.

    Profiles are shown as long as they fit the page. Raises NotFound.
    """
    if release_id not in catalog.published_release_ids(dataset_id):
        raise NotFound
    page = catalog.page_files(release_id, cursor=cursor, size=size)
    profiled = _fitting(page.items)
    manner = _manner(catalog.get_dataset(dataset_id), [(catalog.get_release(release_id), page.items)])
    return Page([_file(file, profiled, manner) for file in page.items], page.next_cursor)


def as_of_now(listed: dict[str, Any]) -> dict[str, Any]:
    """Return a public document as the clock has it: without expired offers, and whether a release is overdue."""
    now = clock.now()
    still = [one for one in listed["offers"] if not one.get("valid_until") or clock.parse(one["valid_until"]) > now]
    published = [clock.parse(one["published_at"]) for one in listed.get("releases", ()) if one.get("published_at")]
    due = punctuality.next_due(listed.get("frequency", ""), max(published, default=None))
    dated = {"next_release_due_at": clock.text(due) if due else None, "overdue": due is not None and due < now}
    return listed | {"offers": still} | dated


def summary(listed: dict[str, Any]) -> dict[str, Any]:
    """Return what a list of search results shows of a public document."""
    shown = as_of_now(listed).items()
    return {name: value for name, value in shown if name not in _NOT_IN_LISTS} | {
        # A document written before there was a total shows every release.
        "releases": listed.get("releases_total", len(listed["releases"])),
        "columns": listed["columns"][:30],
    }


_NOT_IN_LISTS = frozenset({"releases", "releases_total", "columns", "column_notes", "due_at"})
_WITH_VALUES = frozenset({"preview", "warnings", "bbox", "grid"})
_VALUELESS = frozenset({"name", "type", "format", "stored_type", "nulls", "empty_texts", "null_fraction", "null_share"})
_DESCRIBED = (
    "title_ja",
    "title_en",
    "description_ja",
    "description_en",
    "themes",
    "region",
    "language",
    "keywords",
    "licence_hint",
    "high_value_categories",
    "contact_name",
    "contact_url",
    "contact_email",
    "trust_required",
    "assurance_required",
)


def _manner(dataset: Dataset, releases: Sequence[tuple[Release, Sequence[File]]]) -> Manner:
    found = privacy.columns_found([file.id for _release, files in releases for file in files])
    return Manner(bool(licensing.data_policies(dataset.id)), dictionary.personal_of(dataset.dictionary), found)


def publisher(organization_id: str) -> dict[str, Any]:
    """Return what a public document says of who publishes it."""
    organization = identity.get_organization(organization_id)
    return {
        "id": organization.id,
        "name_ja": organization.name_ja,
        "name_en": organization.name_en,
        "corporate_number": organization.corporate_number,
    }


def _fitting(files: Sequence[File]) -> set[str]:
    left, fitting = PROFILE_BYTES_SHOWN, set()
    for file in files:
        size = len(orjson.dumps(file.profile))
        if size <= left:
            left -= size
            fitting.add(file.id)
    return fitting


def _latest(dataset: Dataset, releases: list[tuple[Release, Sequence[File]]]) -> str:
    moments = [release.published_at for release, _files in releases if release.published_at]
    latest = max(moments, default=dataset.published_at or dataset.created_at)
    return clock.text(latest)


def _release(release: Release, files: Sequence[File], profiled: set[str], manner: Manner) -> dict[str, Any]:
    return {
        "id": release.id,
        "label": release.label,
        "notes": release.notes,
        "published_at": clock.text(release.published_at) if release.published_at else None,
        "files_total": catalog.count_files(release.id),
        "files": [_file(file, profiled, manner) for file in files],
    }


def _file(file: File, profiled: set[str], manner: Manner) -> dict[str, Any]:
    return {
        "name": file.name,
        "media_type": file.media_type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "held_by": file.held_by,
        "profile_state": file.profile_state,
        "profile": _profile(file, manner) if file.id in profiled else None,
    }


def _profile(file: File, manner: Manner) -> dict[str, Any] | None:
    """Return a profile as it is shown: without any value of columns that are of persons.

    Of a dataset of which parts are sold, without any value that stands in it.
    """
    if file.profile is None:
        return None
    if not manner.is_policed:
        findings = masking.decided(masking.gathered(file.profile, manner.found.get(file.id, ())), manner.said)
        return masking.masked(file.profile, findings)
    shown = {name: value for name, value in file.profile.items() if name not in _WITH_VALUES}
    columns = [{name: value for name, value in one.items() if name in _VALUELESS} for one in shown.get("columns", ())]
    return shown | {"columns": columns}


def _offer(offer: Offer) -> dict[str, Any]:
    terms = licensing.get_terms(offer.terms_id)
    return {
        "id": offer.id,
        "terms_id": offer.terms_id,
        "terms_sha256": offer.terms_sha256,
        "terms_title_ja": terms.title_ja,
        "terms_title_en": terms.title_en,
        "privacy_class": terms.document.get("privacy_class"),
        "price_kind": offer.price_kind,
        "amount_yen": offer.amount_yen,
        "price": offer.price,
        "rails": offer.rails,
        "discounts": offer.discounts,
        "fee_ordinance": offer.fee_ordinance,
        "promises": [{"ja": ja, "en": en} for ja, en in licensing.promises_of(offer)],
        "valid_until": clock.text(offer.valid_until) if offer.valid_until else None,
        **asdict(licensing.limits_of(offer)),
        "release_scope": offer.release_scope,
    }
