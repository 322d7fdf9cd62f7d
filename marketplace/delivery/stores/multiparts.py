"""Parts in a bucket that were never completed: found and removed, since the library that sends them lists none."""

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import requests

from marketplace.delivery.stores.place import Place
from marketplace.delivery.stores.presigned import Links, sign

log = logging.getLogger(__name__)
_UPLOAD = re.compile(r"<Upload>.*?</Upload>", re.DOTALL)
_TAG = re.compile(r"<(Key|UploadId|Initiated)>([^<]*)</")


def remove(place: Place, older_than: datetime) -> int:
    """Abort the uploads below our folder that began before that instant; return how many.

    At most a thousand at a time, as the bucket lists them. Without keys, and where the bucket does not answer, none.
    """
    if place.keys is None:
        return 0
    links, removed = Links(place.bucket_url, place.region, place.keys), 0
    try:
        for key, upload_id in _abandoned(place, links, older_than):
            ask(place, links, "DELETE", f"/{key}", {"uploadId": upload_id})
            removed += 1
    except requests.RequestException as error:
        status = error.response.status_code if error.response is not None else None  # its text holds the address
        log.warning("parts that were never completed could not be removed: %s %s", type(error).__name__, status)
    return removed


def _abandoned(place: Place, links: Links, older_than: datetime) -> Iterator[tuple[str, str]]:
    told = ask(place, links, "GET", "", {"uploads": "", "prefix": f"{place.prefix}/" if place.prefix else ""})
    for found in _UPLOAD.findall(told):
        upload = dict(_TAG.findall(found))
        if _instant(upload["Initiated"]) < older_than:
            yield upload["Key"], upload["UploadId"]


def ask(place: Place, links: Links, method: str, path: str, query: Mapping[str, str]) -> str:
    """Ask the bucket what the library cannot, and return the answer's text; raises what requests raises."""
    url = sign(links.base_url + path, query, {}, links, datetime.now(UTC), method=method)
    answer = requests.request(method, url, timeout=place.timeout_seconds, allow_redirects=False)
    answer.raise_for_status()
    return answer.text


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.strip())
