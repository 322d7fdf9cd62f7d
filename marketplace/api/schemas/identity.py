"""Organizations, members and clients on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, PageQuery, Strict, line, one_of, page_of
from marketplace.identity.states import Capacity, ClientState, MemberRole, OrganizationKind, OrganizationState

APPLICABLE = (Capacity.PROVIDER, Capacity.BUYER)


class OrganizationDraft(Strict):
    """An application to take part."""

    name_ja = line(required=True)
    name_en = line(required=True)
    kind = one_of(OrganizationKind, required=True)
    capacities = fields.List(one_of(APPLICABLE), required=True)
    corporate_number = line(13, allow_none=True, metadata={"description": "法人番号, 13 digits with check digit"})
    invoice_registration_number = line(14, allow_none=True, metadata={"description": "登録番号, T and 13 digits"})
    local_government_code = line(6, allow_none=True, metadata={"description": "全国地方公共団体コード, 6 digits"})


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
    created_at = Instant(required=True)


class ClientView(Schema):
    """An API client, without its secret."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    state = one_of(ClientState, required=True)
    created_at = Instant(required=True)


class NewClientView(ClientView):
    """A client with its secret, which is shown this once and never again."""

    secret = fields.String(required=True)


class ApplicationView(Schema):
    """What an applicant gets: its organization, and a client to follow the application with."""

    organization = fields.Nested(OrganizationView, required=True)
    client = fields.Nested(NewClientView, required=True)


class ClientDraft(Strict):
    """A client to be registered."""

    name = line(required=True)
    scopes = fields.List(line(50), metadata={"description": "all of your own token, when absent; never more"})


class Reason(Strict):
    """Why something is ended; kept in the record."""

    reason = line(500, required=True)


class OrganizationQuery(PageQuery):
    """Which organizations."""

    state = one_of(OrganizationState)


class MemberDraft(Strict):
    """A member to be added."""

    name = line(required=True)
    email = fields.Email(allow_none=True)
    role = one_of(MemberRole, required=True)


class MemberView(Schema):
    """A member; personal data, shown to the own organization alone."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    email = fields.String(allow_none=True)
    role = one_of(MemberRole, required=True)
    created_at = Instant(required=True)


OrganizationPage = page_of(OrganizationView)
ClientPage = page_of(ClientView)
MemberPage = page_of(MemberView)
