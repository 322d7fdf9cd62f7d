"""What may be posted to an OAuth endpoint: the strict reading of RFC 6749 section 3.2."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from marketplace.kit import settings

FORM = "application/x-www-form-urlencoded"
REPEATABLE = {"resource"}
"""The one parameter that may come twice (RFC 8707 section 2)."""


@dataclass(frozen=True, slots=True)
class Post:
    """A POST as it arrived, free of any web framework.

    ``authorization`` holds several headers with a comma between them, ``peer`` is the network address it came from,
    ``dpop`` are the values of its DPoP headers.
    """

    path: str
    query: str
    content_type: str
    authorization: str | None
    form: Sequence[tuple[str, str]]
    peer: str
    dpop: Sequence[str] = ()


class StrictRequest(OAuth2Request):  # type: ignore[misc]  # Authlib carries no types
    """Authlib's request, made from a post that passed the checks.

    Raises InvalidRequestError (RFC 6749 section 5.2) for parameters in the query string, for another media type, for
    several Authorization headers, and for repeated parameters. Parameters without a value count as absent.
    ``dpop_jkt`` is the thumbprint of the key that the request proves to hold, once the proof was checked.
    """

    def __init__(self, post: Post) -> None:
        _refuse_malformed(post)
        # The address is ours from the settings, never the Host header's.
        super().__init__("POST", settings.current().base_url + post.path)
        self.authorization = post.authorization
        self.peer = post.peer
        self.path = post.path
        self.pairs = post.form
        self.dpop_proofs = post.dpop
        self.dpop_jkt: str | None = None
        self.resources = [value for name, value in post.form if name == "resource" and value]
        self._form = {name: value for name, value in post.form if value and name not in REPEATABLE}
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, Any]:
        """The parameters of the body."""
        return self._form


def _refuse_malformed(post: Post) -> None:
    if post.query:
        raise InvalidRequestError("Parameters belong in the body, not in the query string.")
    if "," in (post.authorization or ""):
        raise InvalidRequestError("There is more than one Authorization header.")
    if post.content_type != FORM:
        raise InvalidRequestError(f"The body must be {FORM}.")
    counts = Counter(name for name, _ in post.form if name not in REPEATABLE)
    if any(count > 1 for count in counts.values()):
        raise InvalidRequestError("A parameter is repeated.")
