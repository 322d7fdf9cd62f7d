"""Delegations on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, identifier, one_of, page_of
from marketplace.identity.permissions import DELEGABLE


class DelegationDraft(Strict):
    """Whom one lets manage one's listings, and how far."""

    delegate_id = identifier("org", required=True)
    permissions = fields.List(
        one_of(sorted(DELEGABLE)),
        required=True,
        validate=validate.Length(1, len(DELEGABLE)),
        metadata={"description": "rows of the permission table; never money, members, clients or grants"},
    )


class PartyView(Schema):
    """One side of a delegation."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)


class DelegationView(Schema):
    """A delegation as both of its sides see it; ``ended_at`` null means that it counts."""

    id = fields.String(required=True)
    delegator = fields.Nested(PartyView, required=True)
    delegate = fields.Nested(PartyView, required=True)
    permissions = fields.List(one_of(sorted(DELEGABLE)), required=True)
    created_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


DelegationPage = page_of(DelegationView)
