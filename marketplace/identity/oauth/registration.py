"""What a client may be registered with: pure rules (RFC 7591 section 2, RFC 8252 section 7, RFC 9700 section 2.1)."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from marketplace.identity import rules
from marketplace.identity.client_traits import ClientTraits
from marketplace.identity.oauth import jwts
from marketplace.identity.oauth.jwts import Malformed
from marketplace.identity.states import AuthenticationMethod, GrantType
from marketplace.kit import outbound
from marketplace.kit.outbound import OutboundRefused

REDIRECT_URIS_MAX = 20
ADDRESS_LENGTH_MAX = 2000
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_ADDRESS = re.compile(r"[!-~]+", re.ASCII)
_OF_KEYS = {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", *jwts.PRIVATE}
_FORBIDDEN = set('\\*#"<>^`{|}')
# A name of one's own turned round, as RFC 8252 section 7.1 has it: com.example.app
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)


def traits_of(draft: dict[str, Any]) -> ClientTraits:
    """Return the traits that a draft asks for, completed: keys make a client prove itself by them.

    Raises Invalid that names every field at fault.
    """
    method = draft.get("authentication_method") or _method_of(draft)
    redirect_uris = tuple(draft.get("redirect_uris", ()))
    grants = draft.get("grant_types") or _grants_of(AuthenticationMethod(method), redirect_uris)
    traits = ClientTraits(
        authentication_method=AuthenticationMethod(method),
        jwks=_tidied(draft.get("jwks")),
        jwks_uri=draft.get("jwks_uri"),
        redirect_uris=redirect_uris,
        grant_types=tuple(dict.fromkeys(map(GrantType, grants))),
        dpop_bound=draft.get("dpop_bound", False),
        par_required=draft.get("par_required", False),
    )
    return checked(traits)


def checked(traits: ClientTraits) -> ClientTraits:
    """Return the traits, or raise Invalid that names every field at fault."""
    addresses = {f"redirect_uris/{n}": redirect_uri_fault(uri) for n, uri in enumerate(traits.redirect_uris)}
    faults = {"redirect_uris": _count_fault(traits), "grant_types": _grants_fault(traits)}
    rules.refuse_faults(addresses | faults | _key_faults(traits))
    return traits


def rekeyed(traits: ClientTraits, jwks: dict[str, Any] | None, jwks_uri: str | None) -> ClientTraits:
    """Return the traits of a client that proves itself by these keys from now on; raises Invalid."""
    method = AuthenticationMethod.PRIVATE_KEY_JWT
    return checked(replace(traits, authentication_method=method, jwks=_tidied(jwks), jwks_uri=jwks_uri))


def redirect_uri_fault(uri: str) -> str | None:
    """Return what is wrong with an address to send people back to, or None."""
    if len(uri) > ADDRESS_LENGTH_MAX or not _ADDRESS.fullmatch(uri) or _FORBIDDEN & set(uri):
        return f"must be an address of at most {ADDRESS_LENGTH_MAX} characters, without wildcard or fragment"
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "must be an address"
    if "@" in parts.netloc:
        return "must not carry a user"
    if parts.scheme == "https":
        return None if host else "must name a host"
    if parts.scheme == "http":
        return None if host in LOOPBACK else "must be https, or http on the loopback"
    private = _PRIVATE_USE.fullmatch(parts.scheme) and not parts.netloc and uri.partition(":")[0] == parts.scheme
    return None if private else "must be https, http on the loopback, or a scheme with a dot in it"


def _method_of(draft: dict[str, Any]) -> AuthenticationMethod:
    keyed = draft.get("jwks") is not None or draft.get("jwks_uri") is not None
    return AuthenticationMethod.PRIVATE_KEY_JWT if keyed else AuthenticationMethod.CLIENT_SECRET_BASIC


def _grants_of(method: AuthenticationMethod, redirect_uris: tuple[str, ...]) -> tuple[GrantType, ...]:
    own = () if method is AuthenticationMethod.NONE else (GrantType.CLIENT_CREDENTIALS,)
    if redirect_uris:
        return (*own, GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN)
    return own or (GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN)


def _tidied(jwks: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a set of keys without what nobody needs to keep, and with it as it is where it is no such set."""
    entries = jwks.get("keys") if jwks is not None else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return jwks
    return {"keys": [{name: value for name, value in entry.items() if name in _OF_KEYS} for entry in entries]}


def _count_fault(traits: ClientTraits) -> str | None:
    if len(traits.redirect_uris) > REDIRECT_URIS_MAX:
        return f"must be at most {REDIRECT_URIS_MAX}"
    if len(set(traits.redirect_uris)) < len(traits.redirect_uris):
        return "must differ from each other"
    if GrantType.AUTHORIZATION_CODE in traits.grant_types and not traits.redirect_uris:
        return "must name an address to send people back to"
    return None


def _grants_fault(traits: ClientTraits) -> str | None:
    grants = set(traits.grant_types)
    if GrantType.CLIENT_CREDENTIALS in grants and traits.authentication_method is AuthenticationMethod.NONE:
        return "a client that proves nothing has no tokens of its own"
    if grants == {GrantType.REFRESH_TOKEN}:
        return "must name a grant that brings the first refresh token"
    return None


def _key_faults(traits: ClientTraits) -> dict[str, str | None]:
    given = [name for name in ("jwks", "jwks_uri") if getattr(traits, name) is not None]
    if traits.authentication_method is not AuthenticationMethod.PRIVATE_KEY_JWT:
        return dict.fromkeys(given, "belongs to private_key_jwt alone")
    if len(given) != 1:
        return {"jwks": "give jwks or jwks_uri, one of them"}
    return {"jwks": _jwks_fault(traits.jwks), "jwks_uri": _jwks_uri_fault(traits.jwks_uri)}


def _jwks_fault(jwks: dict[str, Any] | None) -> str | None:
    try:
        if jwks is not None:
            jwts.public_keys(jwks)
            said = [value for entry in jwks["keys"] for value in entry.values()]
            fit = all(isinstance(value, str) and _ADDRESS.fullmatch(value or "-") for value in said)
            return None if fit else "what a key says of itself must be printable ASCII"
    except Malformed:
        return "must be a set of 1 to 20 public keys: P-256, Ed25519, or RSA of 2048 bits and more"
    return None


def _jwks_uri_fault(uri: str | None) -> str | None:
    if uri is None:
        return None
    try:
        outbound.check(uri)
    except OutboundRefused as refusal:
        return str(refusal)
    return f"must have at most {ADDRESS_LENGTH_MAX} characters" if len(uri) > ADDRESS_LENGTH_MAX else None
