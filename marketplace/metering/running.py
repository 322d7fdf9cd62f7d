"""Deliveries on their way: whether the right to each still stands, asked as strictly as when it began."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, text

from marketplace.access.rules import standing
from marketplace.access.states import Standing
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.identity.states import ClientState, OrganizationState, Trust
from marketplace.kit import clock
from marketplace.kit.db import UtcDateTime, db

CHANNEL = "musubi_rights"
"""Where triggers tell, with the commit, the id of whatever rights hang on: a grant, organization, client, token …"""

_RUNNING = text("""
SELECT d.id, d.grant_id, d.organization_id, d.client_id, d.dataset_id, d.token_id, d.family_id,
       g.state AS grant_state, g.expires_at,
       o.state AS organization_state, o.capacities, o.trust, dataset.trust_required, c.state AS client_state,
       t.revoked_at IS NOT NULL OR (d.family_id IS NOT NULL AND (f.id IS NULL OR f.revoked_at IS NOT NULL)) AS recalled
  FROM delivery d
  JOIN access_grant g ON g.id = d.grant_id
  JOIN organization o ON o.id = d.organization_id
  JOIN dataset ON dataset.id = d.dataset_id
  LEFT JOIN api_client c ON c.id = d.client_id
  LEFT JOIN access_token t ON t.jti = d.token_id
  LEFT JOIN token_family f ON f.id = d.family_id
 WHERE d.id = ANY(:ids) AND d.state = 'open'
""").columns(expires_at=UtcDateTime)
_HANGS_ON = attrgetter("grant_id", "organization_id", "client_id", "dataset_id", "token_id", "family_id")


@dataclass(frozen=True, slots=True)
class Right:
    """What a running delivery's right hangs on, whether it stands, and when its grant runs out."""

    delivery_id: str
    hangs_on: frozenset[str]
    stands: bool
    expires_at: datetime | None


def rights(delivery_ids: Iterable[str]) -> list[Right]:
    """Return the rights of those deliveries that are open; whatever is not among them has none any more.

    A token that runs out ends nothing, one that is revoked does, and so does the end of the consent it came of.
    """
    rows = db.session.execute(_RUNNING, {"ids": list(delivery_ids)})
    return [Right(row.id, _hangs_on(row), _stands(row), row.expires_at) for row in rows]


def _hangs_on(row: Row[Any]) -> frozenset[str]:
    return frozenset(filter(None, _HANGS_ON(row)))


def _stands(row: Row[Any]) -> bool:
    if row.recalled or standing(row.grant_state, row.expires_at, clock.now()) is not Standing.ACTIVE:
        return False
    if row.client_id is not None and row.client_state != ClientState.ACTIVE:
        return False
    if row.trust_required is not None and not Trust(row.trust).reaches(Trust(row.trust_required)):
        return False
    able = PERMISSIONS[Permission.FILES_FETCH].capacities & set(row.capacities)
    return row.organization_state == OrganizationState.VERIFIED and bool(able)
