"""Organizations, members and API clients with Japanese and English names."""

import factory
from factory.alchemy import SQLAlchemyModelFactory

from marketplace.identity import credentials
from marketplace.identity.actors import Actor
from marketplace.identity.models import ApiClient, Member, Organization, Person
from marketplace.identity.permissions import scopes_for
from marketplace.identity.rules import ApplicationDraft, MemberDraft, corporate_check_digit, government_check_digit
from marketplace.identity.states import (
    AuthenticationMethod,
    Capacity,
    ClientState,
    GrantType,
    MemberRole,
    OrganizationKind,
    OrganizationState,
    PersonState,
    Trust,
)
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id


def corporate_number(n: int) -> str:
    """The n-th made-up corporate number, check digit included."""
    base = f"{n:012d}"
    return f"{corporate_check_digit(base)}{base}"


def government_code(n: int) -> str:
    """The n-th made-up local-government code, check digit included."""
    return f"{n:05d}{government_check_digit(f'{n:05d}')}"


def actor_of(organization: Organization, client: ApiClient | None = None) -> Actor:
    """The organization as it would stand before a service, with all that its capacities allow."""
    capacities = frozenset(map(Capacity, organization.capacities))
    trusted = capacities if organization.state == OrganizationState.VERIFIED else frozenset()
    who = (organization.id, client.id if client else None, None)
    return Actor(*who, scopes_for(trusted), trusted, trust=Trust(organization.trust))


class ApplicationDraftFactory(factory.Factory):
    """A company that wants to buy."""

    class Meta:
        model = ApplicationDraft

    name_ja = factory.Sequence(lambda n: f"株式会社むすび商店{n}")
    name_en = factory.Sequence(lambda n: f"Musubi Shoten {n}, Inc.")
    kind = OrganizationKind.COMPANY
    capacities = frozenset({Capacity.BUYER})
    corporate_number = factory.Sequence(lambda n: corporate_number(700_000_000_000 + n))
    invoice_registration_number = None
    local_government_code = None


class MemberDraftFactory(factory.Factory):
    """A person of the finance desk."""

    class Meta:
        model = MemberDraft

    name = factory.Sequence(lambda n: f"佐藤 花子{n}")
    role = MemberRole.FINANCE
    email = factory.Sequence(lambda n: f"hanako{n}@example.jp")


class _Stored(SQLAlchemyModelFactory):
    class Meta:
        abstract = True
        sqlalchemy_session_factory = db.session
        sqlalchemy_session_persistence = "flush"


class OrganizationFactory(_Stored):
    """A verified company that provides and buys; traits make it something else."""

    class Meta:
        model = Organization

    class Params:
        applicant = factory.Trait(state=OrganizationState.APPLIED.value, trust=Trust.APPLIED.value, verified_at=None)
        suspended = factory.Trait(state=OrganizationState.SUSPENDED.value, suspended_reason="規約違反")
        provider = factory.Trait(capacities=["provider"])
        buyer = factory.Trait(capacities=["buyer"])
        operator = factory.Trait(capacities=["operator"])
        auditor = factory.Trait(capacities=["auditor"], kind=OrganizationKind.PUBLIC_BODY.value)
        city = factory.Trait(
            name_ja=factory.Sequence(lambda n: f"試験市{n}"),
            name_en=factory.Sequence(lambda n: f"City of Shiken {n}"),
            kind=OrganizationKind.MUNICIPALITY.value,
            local_government_code=factory.Sequence(lambda n: government_code(10_000 + n % 80_000)),
            capacities=["provider"],
        )

    id = factory.LazyFunction(lambda: new_id("org"))
    name_ja = factory.Sequence(lambda n: f"株式会社データ工房{n}")
    name_en = factory.Sequence(lambda n: f"Data Kobo {n} K.K.")
    kind = OrganizationKind.COMPANY.value
    capacities = factory.LazyFunction(lambda: ["buyer", "provider"])
    corporate_number = factory.Sequence(lambda n: corporate_number(800_000_000_000 + n))
    invoice_registration_number = None
    local_government_code = None
    state = OrganizationState.VERIFIED.value
    trust = Trust.VERIFIED.value
    created_at = factory.LazyFunction(clock.now)
    verified_at = factory.LazyFunction(clock.now)
    suspended_reason = None


class PersonFactory(_Stored):
    """Somebody who may sign in; no password yet."""

    class Meta:
        model = Person

    id = factory.LazyFunction(lambda: new_id("per"))
    name = factory.Sequence(lambda n: f"高橋 美咲{n}")
    email = factory.Sequence(lambda n: f"misaki{n}@example.jp")
    email_checked_at = factory.LazyFunction(clock.now)
    password_hash = None
    password_changed_at = None
    state = PersonState.ACTIVE.value
    locale = "ja"
    created_at = factory.LazyFunction(clock.now)


class MemberFactory(_Stored):
    """A person who acts for an organization."""

    class Meta:
        model = Member

    class Params:
        organization = factory.SubFactory(OrganizationFactory)

    id = factory.LazyFunction(lambda: new_id("mem"))
    organization_id = factory.SelfAttribute("organization.id")
    name = factory.Sequence(lambda n: f"鈴木 一郎{n}")
    email = None
    role = MemberRole.OWNER.value
    person_id = None
    created_at = factory.LazyFunction(clock.now)


class ApiClientFactory(_Stored):
    """An active client with all scopes of its organization; ``secret`` is what it proves itself with."""

    class Meta:
        model = ApiClient

    class Params:
        organization = factory.SubFactory(OrganizationFactory)
        secret = "mk_sk_known-to-the-test"

    id = factory.LazyFunction(lambda: new_id("cli"))
    organization_id = factory.SelfAttribute("organization.id")
    name = factory.Sequence(lambda n: f"夜間バッチ{n}")
    scopes = factory.LazyAttribute(
        lambda new: sorted(scopes_for(frozenset(map(Capacity, new.organization.capacities))))
    )
    authentication_method = AuthenticationMethod.CLIENT_SECRET_BASIC.value
    secret_sha256 = factory.LazyAttribute(lambda new: credentials.hash_of(new.secret))
    jwks = None
    jwks_uri = None
    redirect_uris = factory.LazyFunction(list)
    grant_types = factory.LazyFunction(lambda: [GrantType.CLIENT_CREDENTIALS.value])
    dpop_bound = False
    par_required = False
    registration_token_sha256 = None
    state = ClientState.ACTIVE.value
    created_at = factory.LazyFunction(clock.now)
    secret_changed_at = factory.LazyFunction(clock.now)
