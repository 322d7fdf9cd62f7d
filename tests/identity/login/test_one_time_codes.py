"""Code generators, as RFC 6238 has them."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session as Database

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import StepUpRequired
from marketplace.identity.login import one_time_codes, recovery_codes
from marketplace.identity.login.errors import CodeRefused
from marketplace.identity.login.models import OneTimeSecret
from marketplace.identity.states import Assurance
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from tests.factories.identity import PersonFactory
from tests.identity.login.conftest import code_now, signed_in, with_generator


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
     (20000000000, "353130")],
)  # fmt: skip
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert one_time_codes.code_at(b"12345678901234567890", seconds // 30) == code


def test_the_address_for_the_generator_names_the_exchange_and_the_person(session: Database) -> None:
    _token, who = signed_in(PersonFactory(email="a+b@example.jp").id)
    address = urlsplit(one_time_codes.begin(who))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Musubi:a%2Bb%40example.jp")
    assert len(parse_qs(address.query)["secret"][0]) == 32


def test_a_generator_counts_once_it_has_shown_a_code(session: Database) -> None:
    _token, who = signed_in(PersonFactory().id)
    address = one_time_codes.begin(who)
    assert not one_time_codes.is_set(who.person_id)
    for wrong in ("000000", "", "abcdef", "12345678"):
        with pytest.raises(CodeRefused):
            one_time_codes.confirm(who, wrong)
    assert recovery_codes.count_left(who.person_id) == 0
    secret = one_time_codes.base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])
    assert len(one_time_codes.confirm(who, f" {code_now(secret)[:3]} {code_now(secret)[3:]} ")) == 10
    assert one_time_codes.is_set(who.person_id)
    assert not one_time_codes.spend(who.person_id, code_now(secret))
    assert record.search_entries(record.Search(subject=who.person_id, verb=Verb.SECOND_FACTOR_SET.value)).items


def test_the_secret_is_kept_sealed(session: Database) -> None:
    secret, _codes = with_generator(PersonFactory().id)
    assert secret not in session.scalar(select(OneTimeSecret.secret_encrypted))


def test_a_generator_that_is_set_is_not_replaced_unseen(session: Database) -> None:
    person = PersonFactory()
    secret, _codes = with_generator(person.id)
    _token, who = signed_in(person.id, Assurance.AAL2)
    with pytest.raises(CodeRefused):
        one_time_codes.begin(who)
    assert one_time_codes.spend(person.id, code_now(secret))


def test_setting_and_removing_ask_for_a_fresh_proof(session: Database) -> None:
    person = PersonFactory()
    _token, who = signed_in(person.id)
    with clock.stopped(clock.now() + timedelta(minutes=11)), pytest.raises(StepUpRequired):
        one_time_codes.begin(who)
    with_generator(person.id)
    for deed in (one_time_codes.remove, one_time_codes.begin):
        with pytest.raises(StepUpRequired):
            deed(who)
    assert one_time_codes.is_set(person.id)


def test_a_removed_generator_takes_its_recovery_codes_along(session: Database) -> None:
    person, other = PersonFactory(), PersonFactory()
    secret, codes = with_generator(person.id)
    with_generator(other.id)
    _token, who = signed_in(person.id, Assurance.AAL2)
    one_time_codes.remove(who)
    assert not one_time_codes.is_set(person.id)
    assert not one_time_codes.spend(person.id, code_now(secret))
    assert not recovery_codes.spend(person.id, codes[0].replace("-", ""))
    assert recovery_codes.count_left(other.id) == 10
    with pytest.raises(NotFound):
        one_time_codes.remove(who)


def test_new_recovery_codes_void_the_old_ones(session: Database) -> None:
    person = PersonFactory()
    _secret, codes = with_generator(person.id)
    assert not set(recovery_codes.renew(person.id)) & set(codes)
    assert not recovery_codes.spend(person.id, codes[0].replace("-", ""))
    assert recovery_codes.count_left(person.id) == 10
