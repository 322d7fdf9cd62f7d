"""The states and roles of those who trade."""

from enum import StrEnum


class OrganizationState(StrEnum):
    """How far the exchange trusts an organization."""

    APPLIED = "applied"
    VERIFIED = "verified"
    SUSPENDED = "suspended"


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
    OrganizationState.APPLIED: {OrganizationState.VERIFIED, OrganizationState.SUSPENDED},
    OrganizationState.VERIFIED: {OrganizationState.SUSPENDED},
    OrganizationState.SUSPENDED: {OrganizationState.VERIFIED},
}
