"""Who calls: the token of a request to the API, alone (RFC 6750) or with the proof of its key (RFC 9449 section 7)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from marketplace.identity.actors import Actor
from marketplace.identity.errors import DpopNonceNeeded, DpopProofInvalid, InvalidToken, SeveralCredentials
from marketplace.identity.oauth import access_tokens, dpop
from marketplace.identity.oauth.dpop import Call
from marketplace.identity.oauth.refusals import InvalidDpopProof, UseDpopNonce
from marketplace.kit.transaction import transaction

SCHEMES = {"bearer", "dpop"}


def authenticate(authorizations: Sequence[str], proofs: Sequence[str], method: str, path: str) -> Actor | None:
    """Return the caller of a request, None where it carries no token; ``path`` is decoded.

    A bound token comes with the scheme DPoP and one proof, any other with Bearer and none. Raises SeveralCredentials,
    InvalidToken, DpopProofInvalid or DpopNonceNeeded.
    """
    if not authorizations:
        return None
    refuse_several(authorizations)
    scheme, _, token = authorizations[0].partition(" ")
    if scheme.lower() not in SCHEMES or not token.strip():
        raise InvalidToken("Send one Authorization header: `Bearer` or `DPoP`, and an access token.")
    if scheme.lower() == "bearer":
        return access_tokens.authenticate(token.strip())
    return access_tokens.authenticate(token.strip(), _proven_key(proofs, Call(method, path, token.strip())))


def expires_at(authorization: str) -> datetime:
    """Return when the token of an Authorization field that was authenticated runs out; raises InvalidToken."""
    claims = access_tokens.verify(authorization.partition(" ")[2].strip())
    return datetime.fromtimestamp(claims.expires_at, UTC)


def refuse_several(authorizations: Sequence[str]) -> None:
    """Raise SeveralCredentials for more than one: servers hand several header fields on as one, with a comma."""
    if len(authorizations) > 1 or any("," in value for value in authorizations):
        raise SeveralCredentials


def _proven_key(proofs: Sequence[str], call: Call) -> str:
    try:
        # Kept at once, whatever becomes of the request: a proof must not be good a second time.
        with transaction():
            key = dpop.proven_key(proofs, call)
    except UseDpopNonce as error:
        raise DpopNonceNeeded(error.nonce) from error
    except InvalidDpopProof as error:
        raise DpopProofInvalid(str(error.description)) from error
    if key is None:
        raise DpopProofInvalid("The token is sent as DPoP, without a proof.")
    return key
