"""What must not be guessed holds enough chance, whoever made it; and an exchange begins with nobody in it."""

import math
from collections.abc import Callable

from sqlalchemy import create_engine, text

from marketplace.billing.discounts import rules as coupons
from marketplace.identity import credentials, throttle
from marketplace.identity.login import attempts, one_time_codes, recovery_codes, sessions
from marketplace.identity.oauth import codes, devices
from marketplace.identity.oauth.throttle import FAILURES_MAX
from marketplace.kit import installation_key

BITS_OF_A_PLAIN_HASH = 112


def test_what_lets_somebody_in_by_itself_holds_256_random_bits() -> None:
    sizes = (sessions.TOKEN_BYTES, attempts.TOKEN_BYTES, codes.CODE_BYTES, credentials.SECRET_BYTES)
    assert sizes == (32,) * 4
    assert installation_key.KEY_BYTES == 32
    assert one_time_codes.SECRET_BYTES * 8 == 160


def test_a_recovery_code_holds_enough_for_a_plain_hash() -> None:
    signs = len(set(recovery_codes.LETTERS))
    assert signs == len(recovery_codes.LETTERS)
    assert recovery_codes.LENGTH * math.log2(signs) >= BITS_OF_A_PLAIN_HASH


def test_a_device_code_is_short_to_type_and_its_guesses_are_counted() -> None:
    assert len(set(devices.LETTERS)) ** devices.USER_CODE_LENGTH > 10**6 * FAILURES_MAX
    assert devices.LIFETIME <= throttle.WINDOW


def test_a_coupon_is_not_found_by_trying() -> None:
    assert coupons.CODE_SIGNS * math.log2(len(set(coupons.ALPHABET))) >= 96


def test_a_new_exchange_knows_nobody(clone: Callable[[], str]) -> None:
    engine = create_engine(clone())
    try:
        with engine.connect() as connection:
            for table in ("organization", "member", "person", "api_client", "access_token", "login_session"):
                assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0, table
    finally:
        engine.dispose()
