"""The states and roles of those who trade."""

from enum import StrEnum


class OrganizationState(StrEnum):
    """Where an organization stands; an application is ``unchecked`` until its e-mail address was seen to be read."""

    UNCHECKED = "unchecked"
    APPLIED = "applied"
    VERIFIED = "verified"
    SUSPENDED = "suspended"


class Trust(StrEnum):
    """How far the exchange trusts an organization, from little to much; a suspension leaves it as it is."""

    APPLIED = "applied"
    VERIFIED = "verified"
    QUALIFIED = "qualified"

    def reaches(self, other: "Trust") -> bool:
        """Tell whether this is as much trust as the other, or more."""
        return list(Trust).index(self) >= list(Trust).index(other)


class OrganizationKind(StrEnum):
    """What sort of body an organization is."""

    COMPANY = "company"
    MUNICIPALITY = "municipality"
    PUBLIC_BODY = "public_body"
    UNIVERSITY = "university"
    OTHER = "other"


class Capacity(StrEnum):
    """In what capacity an organization takes part."""

    PROVIDER = "provider"
    BUYER = "buyer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class ClientState(StrEnum):
    """Whether an API client may ask for tokens."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class AuthenticationMethod(StrEnum):
    """How an API client proves who it is (RFC 7591 section 2, ``token_endpoint_auth_method``)."""

    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the name of a method, not a secret
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


class GrantType(StrEnum):
    """What an API client may change for tokens (RFC 7591 section 2, ``grant_types``)."""

    CLIENT_CREDENTIALS = "client_credentials"
    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant, not a token
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class DeviceState(StrEnum):
    """What a person said of a program that waits with a device code."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    USED = "used"


class PersonState(StrEnum):
    """Whether somebody may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Assurance(StrEnum):
    """How surely somebody is who they say (``acr``; NIST SP 800-63B levels, as the Japanese providers name them)."""

    AAL1 = "aal1"
    AAL2 = "aal2"
    AAL3 = "aal3"


class MemberRole(StrEnum):
    """What a member does for the organization."""

    OWNER = "owner"
    CATALOGUE_EDITOR = "catalogue_editor"
    BUYER = "buyer"
    FINANCE = "finance"
    DEVELOPER = "developer"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"


LEGAL_MOVES = {
    OrganizationState.UNCHECKED: {OrganizationState.APPLIED},
    OrganizationState.APPLIED: {OrganizationState.VERIFIED, OrganizationState.SUSPENDED},
    OrganizationState.VERIFIED: {OrganizationState.SUSPENDED},
    OrganizationState.SUSPENDED: {OrganizationState.VERIFIED},
}
