"""Members' tokens at a level of assurance, as a program holds them after somebody has consented."""

from marketplace.identity.oauth import access_tokens, families
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity, MemberRole
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.api.trade import Party
from tests.factories.identity import MemberFactory, PersonFactory


def member_of(party: Party, acr: str, role: MemberRole = MemberRole.OWNER) -> Party:
    """The same organization, acting through a member who signed in at this level."""
    with transaction():
        member = MemberFactory(organization_id=party.organization_id, role=role.value, person_id=PersonFactory().id)
        scope = " ".join(sorted(scopes_for(frozenset({Capacity.BUYER}))))
        consent = Consent(member.id, party.organization_id, scope, None, acr, clock.now())
        family = families.open_family(party.client_id, consent, None)
        bearer = Bearer(
            party.client_id,
            party.organization_id,
            scope,
            member_id=member.id,
            family_id=family,
            acr=acr,
            authenticated_at=consent.authenticated_at,
        )
        return Party(party.app, "member", party.organization_id, party.client_id, access_tokens.issue(bearer))
