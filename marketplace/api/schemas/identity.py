"""Organizations, members and clients on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, line, one_of, page_of
from marketplace.identity.joining.states import Ground, Outcome, Registry, Risk
from marketplace.identity.states import (
    AuthenticationMethod,
    Capacity,
    ClientState,
    GrantType,
    MemberRole,
    OrganizationKind,
    OrganizationState,
    Trust,
)

APPLICABLE = (Capacity.PROVIDER, Capacity.BUYER)
GIVEN_TRUST = (Trust.VERIFIED, Trust.QUALIFIED)


class OrganizationDraft(Strict):
    """An application to take part."""

    name_ja = line(required=True)
    name_en = line(required=True)
    kind = one_of(OrganizationKind, required=True)
    capacities = fields.List(one_of(APPLICABLE), required=True)
    corporate_number = line(13, allow_none=True, metadata={"description": "法人番号, 13 digits with check digit"})
    invoice_registration_number = line(14, allow_none=True, metadata={"description": "登録番号, T and 13 digits"})
    local_government_code = line(6, allow_none=True, metadata={"description": "全国地方公共団体コード, 6 digits"})
    contact_name = line(required=True, metadata={"description": "who applies, and becomes the first owner"})
    contact_email = line(254, required=True, metadata={"description": "where the link to confirm the application goes"})


class OrganizationView(Schema):
    """An organization as the parties see it."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)
    kind = one_of(OrganizationKind, required=True)
    capacities = fields.List(one_of(Capacity), required=True)
    corporate_number = fields.String(allow_none=True)
    invoice_registration_number = fields.String(allow_none=True)
    local_government_code = fields.String(allow_none=True)
    state = one_of(OrganizationState, required=True)
    trust = one_of(Trust, required=True)
    created_at = Instant(required=True)


class ClientView(Schema):
    """An API client, without its secret."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    authentication_method = one_of(AuthenticationMethod, required=True)
    jwks = fields.Dict(keys=fields.String(), allow_none=True)
    jwks_uri = fields.String(allow_none=True)
    redirect_uris = fields.List(fields.String(), required=True)
    grant_types = fields.List(one_of(GrantType), required=True)
    dpop_bound = fields.Boolean(required=True)
    par_required = fields.Boolean(required=True)
    state = one_of(ClientState, required=True)
    created_at = Instant(required=True)


class NewClientView(ClientView):
    """A client with its secret, which is shown this once and never again; a client that keeps none has none."""

    secret = fields.String()


class ApplicationView(Schema):
    """What an applicant gets: its organization, and a client to follow the application with.

    The client works on only if the contact says, when confirming the application, that it is theirs.
    """

    organization = fields.Nested(OrganizationView, required=True)
    client = fields.Nested(NewClientView, required=True)


class ClientDraft(Strict):
    """A client to be registered."""

    name = line(required=True)
    scopes = fields.List(line(50), metadata={"description": "all of your own token, when absent; never more"})
    authentication_method = one_of(
        AuthenticationMethod,
        metadata={
            "description": "private_key_jwt when there are keys, else client_secret_basic; none is for programs"
            " on other people's machines"
        },
    )
    jwks = fields.Dict(keys=fields.String(), metadata={"description": "public keys (RFC 7517), at most twenty"})
    jwks_uri = line(2000, metadata={"description": "where the public keys lie; https, fetched by the exchange"})
    redirect_uris = fields.List(line(2000), metadata={"description": "where people are sent back to; to the letter"})
    grant_types = fields.List(one_of(GrantType))
    dpop_bound = fields.Boolean(metadata={"description": "only tokens bound to a key (RFC 9449)"})
    par_required = fields.Boolean(metadata={"description": "only pushed authorization requests (RFC 9126)"})


class ClientKeys(Strict):
    """The keys by which a client proves itself from now on: ``jwks`` or ``jwks_uri``."""

    jwks = fields.Dict(keys=fields.String())
    jwks_uri = line(2000)


class RegistrationTokenDraft(Strict):
    """What lets programs register clients for one's organization by themselves (RFC 7591)."""

    scopes = fields.List(line(50), metadata={"description": "all of your own token, when absent; never more"})
    uses = Whole(load_default=1, validate=validate.Range(1, 100), metadata={"description": "how many clients"})
    ttl_seconds = Whole(load_default=86_400, validate=validate.Range(60, 2_592_000))


class RegistrationTokenView(Schema):
    """An initial access token, which is shown this once and never again."""

    id = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    uses_left = fields.Integer(required=True)
    expires_at = Instant(required=True)
    token = fields.String(required=True)


class Reason(Strict):
    """Why something is ended; kept in the record."""

    reason = line(500, required=True)


class Approval(Strict):
    """Why an applicant is approved; needed where its application is of high risk."""

    reason = line(1000, metadata={"description": "kept beside the application; the record names its hash"})


class TrustGiven(Strict):
    """How far an organization is trusted from now on."""

    trust = one_of(GIVEN_TRUST, required=True)


class OrganizationQuery(PageQuery):
    """Which organizations."""

    state = one_of(OrganizationState)


class MemberDraft(Strict):
    """A member to be added."""

    name = line(required=True)
    email = fields.Email(allow_none=True)
    role = one_of(MemberRole, required=True)


class MemberChange(Strict):
    """What is to change of a member."""

    role = one_of(MemberRole, required=True)


class MemberView(Schema):
    """A member; personal data, shown to the own organization alone."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    email = fields.String(allow_none=True)
    role = one_of(MemberRole, required=True)
    created_at = Instant(required=True)


class FindingView(Schema):
    """What a public register said of an application."""

    registry = one_of(Registry, required=True, attribute="register")
    outcome = one_of(Outcome, required=True)
    facts = fields.Dict(required=True)
    looked_up_at = Instant(required=True)


class WaitingApplicationView(Schema):
    """An application as the operator looks at it; the contact is shown to the operator alone."""

    organization = fields.Nested(OrganizationView, required=True)
    contact_name = fields.String(allow_none=True)
    contact_email = fields.String(allow_none=True)
    checked_at = Instant(required=True)
    risk = one_of(Risk, required=True, allow_none=True)
    grounds = fields.List(one_of(Ground), required=True)
    findings = fields.List(fields.Nested(FindingView), required=True)
    approvals = fields.Integer(required=True)


WaitingApplicationPage = page_of(WaitingApplicationView)
OrganizationPage = page_of(OrganizationView)
ClientPage = page_of(ClientView)
MemberPage = page_of(MemberView)
