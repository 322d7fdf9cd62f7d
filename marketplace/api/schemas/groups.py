"""Private groups on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, Strict, identifier, line, one_of, page_of
from marketplace.catalog.groups.queries import OWNER
from marketplace.catalog.groups.rules import NAME_LENGTH_MAX
from marketplace.catalog.groups.states import Membership


class GroupDraft(Strict):
    """What a group is called, in one language at least; its members read it too."""

    name_ja = line(NAME_LENGTH_MAX, length_min=0, load_default="")
    name_en = line(NAME_LENGTH_MAX, length_min=0, load_default="")


class GroupMemberDraft(Strict):
    """Whom to name as a member, or to invite."""

    organization_id = identifier("org", required=True)
    invited = fields.Boolean(
        load_default=False, metadata={"description": "true: it becomes a member once it accepts; false: at once"}
    )


class NamedOrganization(Schema):
    """An organization by its name."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)


class GroupView(Schema):
    """A group as the caller stands to it."""

    id = fields.String(required=True)
    owner = fields.Nested(NamedOrganization, required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)
    standing = one_of([OWNER, *Membership], required=True)
    since = Instant(required=True)
    members_total = fields.Integer(
        required=True, allow_none=True, metadata={"description": "with invitations; for its owner alone"}
    )


class GroupMemberView(Schema):
    """An organization in one's own group."""

    organization = fields.Nested(NamedOrganization, required=True)
    state = one_of(Membership, required=True)
    since = Instant(required=True)


class AudienceDraft(Strict):
    """To whom a dataset is listed: one of one's own groups, or null for everybody."""

    group_id = identifier("grp", required=True, allow_none=True)


class AudienceView(Schema):
    """To whom a dataset is listed; null is everybody."""

    dataset_id = fields.String(required=True)
    group_id = fields.String(required=True, allow_none=True)


GroupPage = page_of(GroupView)
GroupMemberPage = page_of(GroupMemberView)
