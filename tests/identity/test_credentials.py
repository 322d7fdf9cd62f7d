"""Secrets: what they look like, and which cannot be one of ours."""

import string

import pytest

from marketplace.identity import credentials


@pytest.mark.parametrize("prefix", [credentials.PREFIX, credentials.INITIAL_PREFIX, credentials.REGISTRATION_PREFIX])
def test_a_secret_names_its_kind_and_carries_its_checksum(prefix: str) -> None:
    secret = credentials.new_secret(prefix)
    assert secret.startswith(prefix)
    assert set(secret[-credentials.CHECKSUM_LENGTH :]) <= set(string.ascii_letters + string.digits)
    assert credentials.is_well_formed(secret)
    assert credentials.new_secret(prefix) != secret


def test_the_checksum_is_the_crc_of_what_stands_before_it_in_base_62() -> None:
    assert credentials.checksum_of("123456789") == "3jZRME"  # CRC-32 check value 0xCBF43926


def test_one_wrong_sign_is_noticed() -> None:
    secret = credentials.new_secret()
    for place in range(len(credentials.PREFIX), len(secret)):
        other = "A" if secret[place] != "A" else "B"
        assert not credentials.is_well_formed(secret[:place] + other + secret[place + 1 :])


@pytest.mark.parametrize("secret", ["", "x", "mk_sk_known-to-the-test", "mk_sk_" + "x" * 43, "ひみつ" * 20, "\ud800"])
def test_what_carries_no_checksum_is_left_to_the_comparison(secret: str) -> None:
    assert credentials.is_well_formed(secret)
    assert not credentials.matches(secret, None)
    assert credentials.matches(secret, credentials.hash_of(secret))
