"""The public document of a dataset, composed of what catalogue and licensing know of it."""

from collections.abc import Sequence
from typing import Any

from marketplace.catalog import queries as catalog
from marketplace.catalog.models import Dataset, File, Release
from marketplace.identity import queries as identity
from marketplace.kit import clock
from marketplace.kit.pages import SIZE_MAX
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind

PRICE_CLASSES = {PriceKind.FREE: "free", PriceKind.ONE_OFF: "one_off", PriceKind.PER_MIB: "metered"}


def document(dataset: Dataset) -> dict[str, Any]:
    """Return everything about a published dataset that anybody may see, as JSON."""
    shown = catalog.published_release_ids(dataset.id)
    releases = [(catalog.get_release(release_id), catalog.list_files(release_id)) for release_id in shown]
    offers = licensing.list_offers(dataset.id, size=SIZE_MAX).items
    files = [file for _release, files in releases for file in files]
    return {
        "id": dataset.id,
        **{name: getattr(dataset, name) for name in _DESCRIBED},
        "frequency": dataset.update_frequency,
        "publisher": _publisher(dataset.organization_id),
        "formats": sorted({str(profile["format"]) for profile in _profiles(files) if profile.get("format")}),
        "columns": list(dict.fromkeys(column["name"] for found in _profiles(files) for column in _columns(found))),
        "price_classes": sorted({PRICE_CLASSES[PriceKind(offer.price_kind)] for offer in offers}),
        "published_at": _latest(dataset, releases),
        "releases": [_release(release, files) for release, files in releases],
        "offers": [_offer(offer) for offer in offers],
    }


def summary(listed: dict[str, Any]) -> dict[str, Any]:
    """Return what a list of search results shows of a public document."""
    return {name: value for name, value in listed.items() if name not in {"releases", "columns"}} | {
        "releases": len(listed["releases"]),
        "columns": listed["columns"][:30],
    }


_DESCRIBED = (
    "title_ja",
    "title_en",
    "description_ja",
    "description_en",
    "theme",
    "region",
    "language",
    "keywords",
    "licence_hint",
    "contact_name",
    "contact_url",
    "contact_email",
)


def _publisher(organization_id: str) -> dict[str, Any]:
    organization = identity.get_organization(organization_id)
    return {
        "id": organization.id,
        "name_ja": organization.name_ja,
        "name_en": organization.name_en,
        "corporate_number": organization.corporate_number,
    }


def _profiles(files: Sequence[File]) -> list[dict[str, Any]]:
    return [file.profile for file in files if file.profile]


def _columns(profile: dict[str, Any]) -> list[dict[str, Any]]:
    return profile.get("columns") or []


def _latest(dataset: Dataset, releases: list[tuple[Release, Sequence[File]]]) -> str:
    moments = [release.published_at for release, _files in releases if release.published_at]
    latest = max(moments, default=dataset.published_at or dataset.created_at)
    return clock.text(latest)


def _release(release: Release, files: Sequence[File]) -> dict[str, Any]:
    return {
        "id": release.id,
        "label": release.label,
        "notes": release.notes,
        "published_at": clock.text(release.published_at) if release.published_at else None,
        "files": [
            {
                "name": file.name,
                "media_type": file.media_type,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "profile_state": file.profile_state,
                "profile": file.profile,
            }
            for file in files
        ],
    }


def _offer(offer: Offer) -> dict[str, Any]:
    terms = licensing.get_terms(offer.terms_id)
    return {
        "id": offer.id,
        "terms_id": offer.terms_id,
        "terms_sha256": offer.terms_sha256,
        "terms_title_ja": terms.title_ja,
        "terms_title_en": terms.title_en,
        "price_kind": offer.price_kind,
        "amount_yen": offer.amount_yen,
        "included_mib": offer.included_mib,
        "duration_days": offer.duration_days,
        "quota_bytes": offer.quota_bytes,
        "quota_downloads": offer.quota_downloads,
        "release_scope": offer.release_scope,
    }
