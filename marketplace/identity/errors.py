"""What identity refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, Refusal


class NotAuthenticated(Refusal):
    """No token where one is needed."""

    slug, status = "not-authenticated", 401
    title, title_ja = "Not authenticated", "認証が必要です"
    cause = "The request carries no bearer token."
    cure = "Ask /oauth/token for an access token and send it as `Authorization: Bearer …`."


class InvalidToken(Refusal):
    """A token that is forged, expired, revoked, or not for us."""

    slug, status = "invalid-token", 401
    title, title_ja = "Invalid access token", "アクセストークンが無効です"
    cause = "The access token is malformed, expired, revoked, or not meant for this exchange."
    cure = "Ask /oauth/token for a new one."


class InsufficientScope(Forbidden):
    """The token does not carry the scope that the permission table asks for (RFC 6750 section 3.1)."""

    slug = "insufficient-scope"
    title, title_ja = "Insufficient scope", "スコープが不足しています"
    cause = "The token does not carry the scope that this deed needs."
    cure = "Ask for a token with the scope named in `scope`."


class CapacityMissing(Forbidden):
    """The organization is not verified in a capacity that may do this."""

    slug = "capacity-missing"
    title, title_ja = "Capacity missing", "資格がありません"
    cause = "Your organization is not verified in a capacity that may do this."
    cure = "Ask the operator of the exchange to verify your organization in that capacity."
