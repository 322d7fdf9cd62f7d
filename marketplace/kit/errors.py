"""Refusals: what the exchange says no to, each with a cause, a cure and a page."""

from typing import Any, ClassVar

_refusals: dict[str, type["Refusal"]] = {}


class Refusal(Exception):
    """A deed that was refused and changed nothing; rendered as RFC 9457 problem details.

    Subclasses are plain nouns with a ``slug`` (stable, part of the ``type`` URL), titles in English and
    Japanese, an HTTP status, and cause and cure in both languages.
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
    cause_ja = "このアドレスには、閲覧できるものがありません。"
    cure_ja = "IDを確かめ、貴組織の所有するもの、または利用権のあるものかを確かめてください。"


class Conflict(Refusal):
    """The deed does not fit the present state."""

    slug, status = "conflict", 409
    title, title_ja = "Conflict with the present state", "現在の状態と矛盾します"
    cause = "The thing has changed, or is not in a state that allows this."
    cure = "Read it again and decide anew."
    cause_ja = "対象が変更されたか、この操作を許す状態にありません。"
    cure_ja = "もう一度読み取ってから、改めて判断してください。"


class Invalid(Refusal):
    """The input breaks a rule; ``errors`` points at the fields."""

    slug, status = "invalid-input", 422
    title, title_ja = "Invalid input", "入力が正しくありません"
    cause = "One or more fields break a rule; `errors` names each with a JSON pointer."
    cure = "Correct the named fields and send the request again."
    cause_ja = "一つ以上の項目が規則に反しています。errors がそれぞれをJSON Pointerで示します。"
    cure_ja = "示された項目を直して、もう一度送ってください。"


class Forbidden(Refusal):
    """The caller is known but may not do this."""

    slug, status = "forbidden", 403
    title, title_ja = "Not permitted", "許可されていません"
    cause = "The permission table does not allow this deed to your client."
    cure = "Ask for a token with the named scope, or ask the operator for the capacity."
    cause_ja = "権限表は、このクライアントにこの操作を許していません。"
    cure_ja = "示されたスコープのトークンを取得するか、資格を運営者に求めてください。"


class Unavailable(Refusal):
    """Something we depend on does not answer at the moment."""

    slug, status = "unavailable", 503
    title, title_ja = "Temporarily unavailable", "一時的に利用できません"
    cause = "A service that this deed needs does not answer at the moment."
    cure = "Send the same request again, with the same Idempotency-Key, after the seconds in Retry-After."
    cause_ja = "この操作に必要なサービスが、現在応答していません。"
    cure_ja = "Retry-Afterの秒数の後に、同じ要求を同じIdempotency-Keyで送ってください。"


class TooLarge(Refusal):
    """More bytes than the exchange accepts."""

    slug, status = "too-large", 413
    title, title_ja = "Too large", "大きすぎます"
    cause = "The body is larger than the limit named in the detail."
    cure = "Split the data, or ask the operator to raise the limit."
    cause_ja = "本文が、detail に示された上限を超えています。"
    cure_ja = "データを分けるか、上限の引上げを運営者に依頼してください。"
