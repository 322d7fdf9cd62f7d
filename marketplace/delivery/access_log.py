"""What a bucket's access log tells of our deliveries (Amazon S3 server access log format). Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

DELIVERY = "x-musubi-delivery"
"""The parameter of a signed address that names the delivery: the store ignores it, and logs it."""
_LINE = re.compile(
    r"\S+ \S+ \[(?P<at>[^\]]+)\] \S+ \S+ (?P<request_id>\S+) (?P<operation>\S+) (?P<key>\S+) "
    r'"(?P<uri>[^"]*)" (?P<status>[0-9]{3}) \S+ (?P<sent>[0-9]{1,18}|-) .*',
    re.ASCII | re.DOTALL,
)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AT = "%d/%b/%Y:%H:%M:%S %z"
_SENT = {200, 206}


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request for an object at an address of ours, as the store noted it."""

    request_id: str
    delivery_id: str
    sha256: str
    status: int
    bytes_sent: int
    at: datetime


def read(line: str) -> Fetch | None:
    """Return what a line tells of a delivery; None for all others, which are no concern of ours.

    Bytes of an error's own body are no bytes of the file, and count as none.
    """
    found = _LINE.fullmatch(line)
    if found is None or found["operation"] != "REST.GET.OBJECT":
        return None
    _method, _space, rest = found["uri"].partition(" ")
    named = parse_qs(urlsplit(rest.rpartition(" ")[0]).query).get(DELIVERY, [])
    sha256 = found["key"].rpartition("/")[2]
    at = _instant(found["at"])
    if len(named) != 1 or not _SHA256.fullmatch(sha256) or at is None:
        return None
    status, sent = int(found["status"]), found["sent"]
    return Fetch(found["request_id"], named[0], sha256, status, int(sent) if sent != "-" and status in _SENT else 0, at)


def _instant(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _AT).astimezone(UTC)
    except ValueError:
        return None
