"""Forms: only a page of ours, shown to this browser, may send one (OWASP ASVS V3.5)."""

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import BadRequest

from marketplace.kit import installation_key, settings
from marketplace.kit.errors import Forbidden
from marketplace.web import sessions
from marketplace.web.addresses import local_path, sign_in_again

FIELD = "form_token"
BODY_BYTES_MAX = 64 * 1024
VALUE_LENGTH_MAX = 16 * 1024
_HOLDER_LENGTH = 32


class FormExpired(Forbidden):
    """A form without the mark that its page had."""

    slug = "form-expired"
    title, title_ja = "The form is no longer good", "フォームの有効期限が切れました"
    cause = "The form did not carry the mark that this exchange puts into each of its forms."
    cure = "Go back, load the page again, and send the form once more; cookies must be allowed for this site."
    cause_ja = "この取引所が各フォームに付ける印が、送られたフォームにありませんでした。"
    cure_ja = "前のページに戻って再読込みし、もう一度送ってください。このサイトのCookieを許可する必要があります。"


class ForeignForm(Forbidden):
    """A form that a page of another site sent."""

    slug = "foreign-form"
    title, title_ja = "The form came from another site", "別のサイトから送られたフォームです"
    cause = "The browser says that a page of another site has sent this form."
    cure = "Open the page at this exchange itself and send the form from there."
    cause_ja = "このフォームは別のサイトのページから送られたと、ブラウザーが伝えています。"
    cure_ja = "この取引所のページを直接開き、そこから送ってください。"


def token() -> str:
    """Return the mark of a form: who it was shown to, and our signature under that."""
    holder = _holder()
    return f"{holder}.{_tag(holder)}"


def check() -> None:
    """Refuse a form that was not sent by a page of ours, shown to whoever sends it now.

    Raises ForeignForm or FormExpired; whoever has changed since the page was shown signs in again.
    """
    request.max_content_length = BODY_BYTES_MAX
    refuse_foreign()
    holder, _, tag = request.form.get(FIELD, "").partition(".")
    if not hmac.compare_digest(tag.encode("utf-8", "replace"), _tag(holder).encode()):
        raise FormExpired
    if not secrets.compare_digest(holder.encode("utf-8", "replace"), _holder().encode()):
        raise sign_in_again()


def is_one_click() -> bool:
    """Tell whether a mailbox posts here what RFC 8058 has it post: no page, no cookie, and no more than these words."""
    request.max_content_length = BODY_BYTES_MAX
    return request.form.to_dict(flat=False) == {"List-Unsubscribe": ["One-Click"]}


def refuse_foreign() -> None:
    """Refuse what another site's page sends. Raises ForeignForm."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in {None, "same-origin"}:
        raise ForeignForm
    # Our pages send no Referer, and then browsers say "null" here; the newer field tells where it comes from.
    if origin is not None and origin not in _own_origins() and not (origin == "null" and site == "same-origin"):
        raise ForeignForm


def read(*names: str) -> dict[str, str]:
    """Return the fields of a form: these, each once or not at all (then empty), and no others.

    Raises BadRequest: what a form of ours does not have, nobody sends in good faith (W13, O31).
    """
    pairs = [(name, value) for name, value in request.form.items(multi=True) if name != FIELD]
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= set(names) or request.files:
        raise BadRequest
    if any("\0" in value or len(value) > VALUE_LENGTH_MAX for value in given.values()):
        raise BadRequest
    return {name: given.get(name, "") for name in names}


def next_path(given: str, otherwise: str) -> str:
    """Return where to go after a form. Raises BadRequest for an address of another site."""
    return local_path(given) if given else otherwise


def _own_origins() -> set[str]:
    # The Host header was compared with the list of our own names before.
    return {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in (settings.current().base_url, request.host_url)}


def _holder() -> str:
    session = sessions.current()
    holder = f"session {session.id}" if session else f"visitor {sessions.visitor()}"
    return sha256(holder.encode()).hexdigest()[:_HOLDER_LENGTH]


def _tag(holder: str) -> str:
    return hmac.new(installation_key.derived("forms"), holder.encode("utf-8", "replace"), sha256).hexdigest()
