"""Halting: a grant rests from its first moment, whichever way it came, where an incident has such grants rest."""

from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.identity.actors import SYSTEM
from marketplace.incidents import queries as incidents


def heed(grant_id: str) -> None:
    """Let a grant that was just issued, renewed or given back rest for each incident that halts it, until it is lifted.

    In the transaction that opened the grant, which holds its dataset: an incident that is opened at the same moment
    is seen here, or finds the grant itself.
    """
    for incident_id in incidents.list_halting(grant_id):
        access.suspend(SYSTEM, grant_id, Cause.INCIDENT, incident_id)
