"""Older versions of an object in a bucket that keeps them: a plain deletion only hides them."""

import re
from html import unescape

import requests

from marketplace.delivery.errors import StoreUnavailable
from marketplace.delivery.stores.multiparts import ask
from marketplace.delivery.stores.place import Place
from marketplace.delivery.stores.presigned import Links

_VERSION = re.compile(r"<(?:Version|DeleteMarker)>.*?</(?:Version|DeleteMarker)>", re.DOTALL)
_TAG = re.compile(r"<(Key|VersionId)>([^<]*)</")


def remove(place: Place, key: str) -> int:
    """Remove all versions of an object, and the marks of deletions; return how many.

    Without keys none: nobody could sign for it. Raises StoreUnavailable, so that whoever has to remove tries again.
    """
    if place.keys is None:
        return 0
    links, path = Links(place.bucket_url, place.region, place.keys), f"{place.prefix}/{key}" if place.prefix else key
    removed = 0
    try:
        for version in _of(ask(place, links, "GET", "", {"versions": "", "prefix": path}), path):
            ask(place, links, "DELETE", f"/{path}", {"versionId": version})
            removed += 1
    except requests.RequestException as error:
        raise StoreUnavailable("The object store did not remove the versions of an object.") from error
    return removed


def _of(told: str, path: str) -> list[str]:
    found = (dict(_TAG.findall(one)) for one in _VERSION.findall(told))
    return [unescape(one["VersionId"]) for one in found if unescape(one["Key"]) == path]
