"""Refusals: what the exchange says no to, each with a cause, a cure and a page."""

from typing import Any, ClassVar

_refusals: dict[str, type["Refusal"]] = {}


class Refusal(Exception):
    """A deed that was refused and changed nothing; rendered as RFC 9457 problem details.

    Subclasses are plain nouns with a ``slug`` (stable, part of the ``type`` URL), titles in English and
    Japanese, an HTTP status, and one sentence each for cause and cure, in English and, where given, Japanese.
    """

    slug: ClassVar[str] = ""
    status: ClassVar[int] = 400
    title: ClassVar[str] = ""
    title_ja: ClassVar[str] = ""
    cause: ClassVar[str] = ""
    cure: ClassVar[str] = ""
    cause_ja: ClassVar[str] = ""
    cure_ja: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if "slug" not in vars(cls):
            return
        if cls.slug in _refusals:
            raise TypeError(f"two refusals share the slug {cls.slug!r}")
        _refusals[cls.slug] = cls

    def __init__(self, detail: str = "", *, errors: list[dict[str, str]] | None = None, **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.cause
        self.errors = errors or []
        self.members = members


def all_refusals() -> dict[str, type[Refusal]]:
    """Return every refusal by slug, for the documentation and its test."""
    return dict(sorted(_refusals.items()))


class NotFound(Refusal):
    """The thing does not exist, or the caller may not know that it does."""

    slug, status = "not-found", 404
    title, title_ja = "Not found", "見つかりません"
    cause = "Nothing with this address exists for you."
    cure = "Check the id, and that your organization owns it or was granted it."


class Conflict(Refusal):
    """The deed does not fit the present state."""

    slug, status = "conflict", 409
    title, title_ja = "Conflict with the present state", "現在の状態と矛盾します"
    cause = "The thing has changed, or is not in a state that allows this."
    cure = "Read it again and decide anew."


class Invalid(Refusal):
    """The input breaks a rule; ``errors`` points at the fields."""

    slug, status = "invalid-input", 422
    title, title_ja = "Invalid input", "入力が正しくありません"
    cause = "One or more fields break a rule; `errors` names each with a JSON pointer."
    cure = "Correct the named fields and send the request again."


class Forbidden(Refusal):
    """The caller is known but may not do this."""

    slug, status = "forbidden", 403
    title, title_ja = "Not permitted", "許可されていません"
    cause = "The permission table does not allow this deed to your client."
    cure = "Ask for a token with the named scope, or ask the operator for the capacity."


class Unavailable(Refusal):
    """Something we depend on does not answer at the moment."""

    slug, status = "unavailable", 503
    title, title_ja = "Temporarily unavailable", "一時的に利用できません"
    cause = "A service that this deed needs does not answer at the moment."
    cure = "Send the same request again, with the same Idempotency-Key, after the seconds in Retry-After."


class TooLarge(Refusal):
    """More bytes than the exchange accepts."""

    slug, status = "too-large", 413
    title, title_ja = "Too large", "大きすぎます"
    cause = "The body is larger than the limit named in the detail."
    cure = "Split the data, or ask the operator to raise the limit."
