"""Admission: what a dataset asks of whoever orders or fetches it, beyond the permission table.

Its provider may ask for trust, which the operator gives an organization, and for assurance, which a person proves by
signing in. A program proves nobody's presence: where assurance is asked for, it must hold a key (``private_key_jwt``),
since a secret that is copied does not show.
"""

from marketplace.identity.actors import Actor
from marketplace.identity.errors import AssuranceTooLow, KeyedClientNeeded, TrustTooLow
from marketplace.identity.states import Assurance, Trust


def require(actor: Actor, trust_required: str | None, assurance_required: str | None) -> None:
    """Refuse a caller of whom a dataset asks more; raises TrustTooLow, AssuranceTooLow or KeyedClientNeeded."""
    if trust_required is not None and not actor.trust.reaches(Trust(trust_required)):
        raise TrustTooLow(trust=actor.trust.value, trust_required=trust_required)
    if assurance_required is not None:
        _require_assurance(actor, Assurance(assurance_required))


def _require_assurance(actor: Actor, required: Assurance) -> None:
    if actor.assurance is None:
        if not actor.keyed:
            raise KeyedClientNeeded(assurance_required=required.value)
    # The levels' names stand in the order of their strength.
    elif actor.assurance < required:
        raise AssuranceTooLow(acr=actor.assurance.value, assurance_required=required.value)
