"""Every secret that may leak has the form that docs/safeguards.md gives secret scanners, and no other kind's."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from marketplace.identity import credentials
from marketplace.identity.login import invitations, mailed_links, recovery_codes
from marketplace.identity.login.mailed_links import Holder
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.oauth import access_tokens, families, refresh_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit import logs
from marketplace.kit.transaction import transaction
from tests.identity.oauth.people import party

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "safeguards.md"
ROW = re.compile(r"^\| ([a-z -]+) \| `([^`]+)` \| .+ \|$", re.MULTILINE)


def documented() -> dict[str, re.Pattern[str]]:
    section = DOCUMENT.read_text(encoding="utf-8").split("## Secrets that scanners find")[1].split("\n## ")[0]
    return {name: re.compile(expression) for name, expression in ROW.findall(section)}


def mailed(purpose: ChallengePurpose, holder: Holder) -> str:
    return mailed_links.issue(purpose, "somebody@example.jp", holder, timedelta(hours=1))


@pytest.fixture
def made(app: Flask) -> dict[str, list[str]]:
    """Several of each kind, made as the exchange makes them."""
    who = party()
    with transaction():
        bearer = Bearer(who.client.id, who.organization.id, "organization:read")
        of_person, of_organization = Holder(who.person.id), Holder(organization_id=who.organization.id)
        family = families.open_family(who.client.id, who.consent(), None)
        return {
            "client secret": [credentials.new_secret() for _ in range(50)],
            "refresh token": [refresh_tokens.issue(family) for _ in range(5)],
            "initial access token": [credentials.new_secret(credentials.INITIAL_PREFIX) for _ in range(50)],
            "registration token": [credentials.new_secret(credentials.REGISTRATION_PREFIX) for _ in range(50)],
            "download ticket": [credentials.new_secret(credentials.TICKET_PREFIX) for _ in range(50)],
            "invitation": [invitations.renew(who.member.id) for _ in range(5)],
            "link for a forgotten password": [mailed(ChallengePurpose.RESET, of_person)],
            "link for another e-mail address": [mailed(ChallengePurpose.CHECK, of_person)],
            "link that confirms an application": [mailed(ChallengePurpose.JOIN, of_organization)],
            "access token": [access_tokens.issue(bearer) for _ in range(5)],
            "recovery code": recovery_codes.renew(who.person.id),
        }


def test_each_kind_has_the_documented_form_and_no_other(made: dict[str, list[str]]) -> None:
    expressions = documented()
    assert set(expressions) == set(made)
    for name, secrets in made.items():
        for secret in secrets:
            leaked = f'x = "{secret}"'
            assert [kind for kind, one in expressions.items() if one.search(leaked)] == [name]
            assert expressions[name].fullmatch(secret), name


def test_those_with_a_prefix_carry_their_checksum_and_stay_out_of_the_log(made: dict[str, list[str]]) -> None:
    prefixed = {name: secrets for name, secrets in made.items() if secrets[0].startswith("mk_")}
    assert len(prefixed) == 9
    for secrets in prefixed.values():
        for secret in secrets:
            body, checksum = secret[: -credentials.CHECKSUM_LENGTH], secret[-credentials.CHECKSUM_LENGTH :]
            assert checksum == credentials.checksum_of(body)
            assert secret not in logs.mask(f"GET /invitation/{secret} 404")


def test_examples_are_told_from_real_ones() -> None:
    example = "mk_sk_" + "x" * 43 + "000000"
    assert documented()["client secret"].fullmatch(example)
    assert not credentials.is_well_formed(example)
