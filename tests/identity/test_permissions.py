"""The one table of who may do what."""

from dataclasses import replace

import pytest

from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.errors import CapacityMissing, InsufficientScope, NotAuthenticated, NotDelegated, RoleMissing
from marketplace.identity.judging import require
from marketplace.identity.permissions import DELEGABLE, PERMISSIONS, Permission, scopes_for
from marketplace.identity.states import Capacity, MemberRole

PUBLIC = [name for name, rule in PERMISSIONS.items() if rule.scope is None]
GUARDED = [name for name, rule in PERMISSIONS.items() if rule.scope is not None]


def able(*capacities: Capacity) -> Actor:
    held = frozenset(capacities)
    return Actor("org_x", "cli_x", None, scopes_for(held), held)


def test_every_permission_has_one_row() -> None:
    assert set(PERMISSIONS) == set(Permission)


@pytest.mark.parametrize("permission", PUBLIC)
def test_the_public_may_do_what_is_public(permission: Permission) -> None:
    assert require(None, permission) is None
    assert require(able(), permission) == able()


@pytest.mark.parametrize("permission", GUARDED)
def test_all_else_needs_a_token_its_scope_and_its_capacity(permission: Permission) -> None:
    rule = PERMISSIONS[permission]
    with pytest.raises(NotAuthenticated):
        require(None, permission)
    with pytest.raises(InsufficientScope) as refusal:
        require(Actor("org_x", scopes=frozenset(), capacities=frozenset(Capacity)), permission)
    assert refusal.value.members == {"scope": rule.scope}
    unverified = Actor("org_x", scopes=frozenset({rule.scope}))
    if rule.capacities:
        with pytest.raises(CapacityMissing):
            require(unverified, permission)
    else:
        assert require(unverified, permission) is unverified
    for capacity in rule.capacities:
        assert require(able(capacity), permission)


def test_an_auditor_changes_nothing_and_fetches_no_file() -> None:
    allowed = [rule for rule in PERMISSIONS.values() if Capacity.AUDITOR in rule.capacities]
    assert allowed
    assert not [rule for rule in allowed if rule.changes]
    assert Capacity.AUDITOR not in PERMISSIONS[Permission.FILES_FETCH].capacities


def test_before_it_is_verified_an_organization_only_reads_of_itself() -> None:
    assert scopes_for(frozenset()) == {"organization:read"}


def test_operators_and_auditors_oversee() -> None:
    assert able(Capacity.OPERATOR).oversees
    assert able(Capacity.AUDITOR).oversees
    assert not able(Capacity.PROVIDER, Capacity.BUYER).oversees
    assert not SYSTEM.oversees


def test_a_delegate_does_what_it_was_let_within_its_role_and_nothing_else_not_even_what_is_public() -> None:
    editing = replace(able(Capacity.PROVIDER), delegate_id="org_y", delegated=frozenset({Permission.DATASETS_WRITE}))
    assert require(editing, Permission.DATASETS_WRITE)
    for permission in set(Permission) - {Permission.DATASETS_WRITE}:
        with pytest.raises(NotDelegated):
            require(editing, permission)
    with pytest.raises(RoleMissing):
        require(replace(editing, role=MemberRole.BUYER), Permission.DATASETS_WRITE)


def test_nothing_that_can_be_delegated_touches_money_people_keys_or_grants() -> None:
    assert {permission.partition(".")[0] for permission in DELEGABLE} == {"datasets", "licensing"}
    assert {PERMISSIONS[permission].scope for permission in DELEGABLE} == {
        "catalog:read", "catalog:write", "licensing:read", "licensing:write"
    }  # fmt: skip
