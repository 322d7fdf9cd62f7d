"""Addresses at which one object of a bucket may be fetched for seconds, signed by us. Pure.

AWS Signature Version 4 in the query string, as S3 and its likes check it. Our own, since the library that we ask the
bucket with signs neither a Range field nor parameters of ours.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Keys:
    """The access key that signs; the token belongs to keys that end by themselves."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """What makes addresses of one bucket; ``base_url`` is where its objects lie, without a final slash."""

    base_url: str
    region: str
    keys: Keys
    ttl_seconds: int = SECONDS_MAX

    def to(self, sha256: str, query: Mapping[str, str], fields: Mapping[str, str], at: datetime) -> str:
        """Return the address of an object by its SHA-256, good for GET with exactly these header fields."""
        url = f"{self.base_url}/{sha256[:2]}/{sha256[2:4]}/{sha256}"
        return sign(url, query, fields, self, at)


def sign(
    url: str, query: Mapping[str, str], fields: Mapping[str, str], links: Links, at: datetime, *, method: str = "GET"
) -> str:
    """Return the address with its signature in the query (AWS "Authenticating Requests: Using Query Parameters").

    Host and the given header fields are signed: a request with others, or none of them, is refused by the store.
    """
    parts, stamp = urlsplit(url), at.strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": parts.netloc} | {name.lower(): value.strip() for name, value in fields.items()}
    scope = f"{stamp[:8]}/{links.region}/s3/aws4_request"
    token = {"X-Amz-Security-Token": links.keys.session_token} if links.keys.session_token else {}
    asked = _query(
        {
            **query,
            **token,
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{links.keys.access_key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(links.ttl_seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
    )
    lines = [f"{name}:{value}" for name, value in sorted(signed.items())]
    request = "\n".join([method, parts.path or "/", asked, *lines, "", ";".join(sorted(signed)), "UNSIGNED-PAYLOAD"])
    told = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    return f"{url}?{asked}&X-Amz-Signature={_signature(links, stamp[:8], told)}"


def _query(asked: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(asked.items()))


def _signature(links: Links, day: str, told: str) -> str:
    key = f"AWS4{links.keys.secret_access_key}".encode()
    for step in (day, links.region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, told.encode(), "sha256").hex()
