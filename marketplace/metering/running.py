"""Deliveries on their way: whether the right to each still stands, asked as strictly as when it began."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from marketplace.access.rules import standing
from marketplace.access.states import Standing
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.identity.states import ClientState, OrganizationState, Trust
from marketplace.kit import clock
from marketplace.kit.db import UtcDateTime, db

CHANNEL = "musubi_rights"
"""Where triggers tell, with the commit, the id of whatever rights hang on: a grant, organization, client or dataset."""

_RUNNING = text("""
SELECT d.id, d.grant_id, d.organization_id, d.client_id, d.dataset_id, g.state AS grant_state, g.expires_at,
       o.state AS organization_state, o.capacities, o.trust, dataset.trust_required, c.state AS client_state
  FROM delivery d
  JOIN access_grant g ON g.id = d.grant_id
  JOIN organization o ON o.id = d.organization_id
  JOIN dataset ON dataset.id = d.dataset_id
  LEFT JOIN api_client c ON c.id = d.client_id
 WHERE d.id = ANY(:ids) AND d.state = 'open'
""").columns(expires_at=UtcDateTime)


@dataclass(frozen=True, slots=True)
class Right:
    """What a running delivery's right hangs on, whether it stands, and when its grant runs out."""

    delivery_id: str
    hangs_on: frozenset[str]
    stands: bool
    expires_at: datetime | None


def rights(delivery_ids: Iterable[str]) -> list[Right]:
    """Return the rights of those deliveries that are open; whatever is not among them has none any more.

    A delivery keeps neither its token nor the person: what ends for these binds the next request.
    """
    rows = db.session.execute(_RUNNING, {"ids": list(delivery_ids)})
    return [Right(row.id, _hangs_on(row), _stands(row), row.expires_at) for row in rows]


def _hangs_on(row: Row[Any]) -> frozenset[str]:
    return frozenset(filter(None, (row.grant_id, row.organization_id, row.client_id, row.dataset_id)))


def _stands(row: Row[Any]) -> bool:
    if standing(row.grant_state, row.expires_at, clock.now()) is not Standing.ACTIVE:
        return False
    if row.client_id is not None and row.client_state != ClientState.ACTIVE:
        return False
    if row.trust_required is not None and not Trust(row.trust).reaches(Trust(row.trust_required)):
        return False
    able = PERMISSIONS[Permission.FILES_FETCH].capacities & set(row.capacities)
    return row.organization_state == OrganizationState.VERIFIED and bool(able)
