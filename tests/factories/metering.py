"""Grants with a quota, and what may be fetched under them."""

import hashlib

from marketplace.access.rules import Entitlement
from marketplace.catalog.models import File
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.metering import service as metering
from marketplace.metering.rules import Allowance
from tests.factories.access import GrantFactory, release_with
from tests.factories.identity import actor_of

NAME = "人流.csv"


def entitlement_of(content=b"0123456789", *, grant=None, size_bytes=None, **limits):
    """A grant with that quota, and its right to one file of that content; ``size_bytes`` may pretend."""
    grant = grant or granted(**limits)
    release_id = release_with(grant.dataset_id, {NAME: content})
    return Entitlement(
        grant_id=grant.id,
        organization_id=grant.organization_id,
        provider_organization_id=grant.provider_organization_id,
        dataset_id=grant.dataset_id,
        release_id=release_id,
        file_id=db.session.query(File.id).filter_by(release_id=release_id).scalar(),
        file_name=NAME,
        media_type="text/csv",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content) if size_bytes is None else size_bytes,
        published_at=clock.now(),
    )


def granted(**facts):
    """A grant whose accounting is open, within the limits that are given beside its facts."""
    limits = {name: facts.pop(f"limit_{name}", None) for name in ("bytes", "downloads", "rows", "requests", "streams")}
    download_due = facts.pop("download_due", None)
    grant = GrantFactory(**facts)
    metering.open_quota(grant.id, Allowance(**limits), download_due)
    return grant


def buyer_of(entitlement) -> Actor:
    """The owner of the grant."""
    return actor_of(db.session.get_one(Organization, entitlement.organization_id))


def provider_of(entitlement) -> Actor:
    """The provider of the grant."""
    return actor_of(db.session.get_one(Organization, entitlement.provider_organization_id))


def fetch(entitlement, start=0, length=None, acked=None, outcome="complete"):
    """Open and close one delivery; return what it came to."""
    length = entitlement.size_bytes - start if length is None else length
    acked = length if acked is None else acked
    opened = metering.open_delivery(entitlement, start, length, new_id("cli"))
    return metering.close_delivery(opened.id, acked, acked, outcome)
