"""What makes one kind of API client differ from another."""

from dataclasses import dataclass
from typing import Any

from marketplace.identity.states import AuthenticationMethod, GrantType

OWN_TOKENS = (GrantType.CLIENT_CREDENTIALS,)


@dataclass(frozen=True, slots=True)
class ClientTraits:
    """How a client proves itself, what it changes for tokens, where it is sent back to, and what is asked of it.

    ``jwks`` or ``jwks_uri`` is there with ``private_key_jwt`` and with nothing else.
    """

    authentication_method: AuthenticationMethod = AuthenticationMethod.CLIENT_SECRET_BASIC
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[GrantType, ...] = OWN_TOKENS
    dpop_bound: bool = False
    par_required: bool = False

    @property
    def has_secret(self) -> bool:
        """Whether the client proves itself by a secret."""
        return self.authentication_method is AuthenticationMethod.CLIENT_SECRET_BASIC

    def columns(self) -> dict[str, Any]:
        """Return the traits as they are kept."""
        return {
            "authentication_method": self.authentication_method.value,
            "jwks": self.jwks,
            "jwks_uri": self.jwks_uri,
            "redirect_uris": list(self.redirect_uris),
            "grant_types": [grant.value for grant in self.grant_types],
            "dpop_bound": self.dpop_bound,
            "par_required": self.par_required,
        }


PROGRAM = ClientTraits()
"""A program that acts for its organization alone and keeps a secret."""

COMMAND_LINE = ClientTraits(AuthenticationMethod.NONE, grant_types=(GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN))
"""A program on somebody's own machine, which acts for whoever types its code elsewhere."""
