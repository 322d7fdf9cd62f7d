"""Which store the settings choose, and whether it hands out addresses of its own."""

import re
from urllib.parse import urlsplit

from marketplace.delivery.stores import Store
from marketplace.delivery.stores.local import LocalStore
from marketplace.delivery.stores.place import Place
from marketplace.delivery.stores.presigned import Links
from marketplace.delivery.stores.s3 import S3Store
from marketplace.kit.settings import LOOPBACK, BadSetting, Settings

_ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/(?!\.+(?:/|$))[A-Za-z0-9._-]+)*)/?", re.ASCII
)


def store_of(given: Settings) -> Store:
    """Return the store that the settings name, unasked yet; raises BadSetting."""
    place = place_of(given)
    if place is None:
        return LocalStore(given.store_dir)
    return S3Store(place, given.bucket_cache_dir, given.s3_cache_bytes_max)


def links_of(given: Settings) -> Links | None:
    """Return what makes addresses of the bucket, where buyers are sent there; raises BadSetting."""
    if given.s3_delivery not in {"proxy", "redirect"}:
        raise BadSetting("MARKETPLACE_S3_DELIVERY must be proxy (bytes pass the exchange) or redirect (to the bucket)")
    if given.s3_delivery == "proxy":
        return None
    place = place_of(given)
    if place is None:
        raise BadSetting("MARKETPLACE_S3_DELIVERY=redirect needs a bucket in MARKETPLACE_STORE")
    if place.keys is None:
        raise BadSetting("MARKETPLACE_S3_DELIVERY=redirect needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to sign")
    return Links(place.url, place.region, place.keys, given.s3_link_seconds)


def place_of(given: Settings) -> Place | None:
    """Return the bucket that the settings name, or None for the local folder; raises BadSetting."""
    if given.store == "local":
        return None
    found = _ADDRESS.fullmatch(given.store)
    if found is None:
        raise BadSetting("MARKETPLACE_STORE must be local, or a bucket such as s3://bucket or s3://bucket/folder")
    _check(given)
    return Place(
        bucket=found["bucket"],
        prefix=found["prefix"].strip("/"),
        endpoint=given.s3_endpoint and given.s3_endpoint.rstrip("/"),
        region=given.s3_region,
        access_key_id=given.s3_access_key_id,
        secret_access_key=given.s3_secret_access_key,
        session_token=given.s3_session_token,
        timeout_seconds=given.s3_timeout_seconds,
        retries_max=given.s3_retries_max,
    )


def _check(given: Settings) -> None:
    if (given.s3_access_key_id is None) != (given.s3_secret_access_key is None):
        raise BadSetting("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both, or neither")
    if given.s3_endpoint is None:
        return
    parts = urlsplit(given.s3_endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or "@" in parts.netloc:
        raise BadSetting("MARKETPLACE_S3_ENDPOINT must look like https://s3.example.jp")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise BadSetting("MARKETPLACE_S3_ENDPOINT must be https unless it is a loopback address: paid bytes cross it")
