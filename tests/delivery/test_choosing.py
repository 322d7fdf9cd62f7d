"""The settings choose a store that can be, or end the start with what to set."""

from pathlib import Path

import pytest

from marketplace.delivery.stores import choosing
from marketplace.delivery.stores.local import LocalStore
from marketplace.delivery.stores.s3 import S3Store
from marketplace.kit.settings import BadSetting, Settings

BUCKET = {"store": "s3://musubi-files/exchange/files"}
KEYS = {"s3_access_key_id": "AKIATEST", "s3_secret_access_key": "secret"}


def given(tmp_path: Path, **changes: object) -> Settings:
    return Settings(**({"data_dir": tmp_path} | changes))


def test_without_a_word_files_lie_in_the_folder(tmp_path):
    assert isinstance(choosing.store_of(given(tmp_path)), LocalStore)
    assert choosing.links_of(given(tmp_path)) is None


def test_a_bucket_is_named_with_its_folder_and_asked_as_the_settings_say(tmp_path):
    chosen = given(tmp_path, **BUCKET, **KEYS, s3_endpoint="https://s3.example.jp/", s3_timeout_seconds=7)
    place = choosing.place_of(chosen)
    assert (place.bucket, place.prefix, place.endpoint) == ("musubi-files", "exchange/files", "https://s3.example.jp")
    assert (place.access_key_id, place.region, place.timeout_seconds) == ("AKIATEST", "ap-northeast-1", 7)
    assert isinstance(choosing.store_of(chosen), S3Store)
    assert choosing.links_of(chosen) is None


@pytest.mark.parametrize(
    ("endpoint", "base_url"),
    [
        ("https://s3.example.jp", "https://s3.example.jp/musubi-files/exchange/files"),
        (None, "https://musubi-files.s3.ap-northeast-1.amazonaws.com/exchange/files"),
    ],
    ids=["another service", "aws"],
)
def test_addresses_lead_to_the_bucket(tmp_path, endpoint, base_url):
    chosen = given(tmp_path, **BUCKET, **KEYS, s3_endpoint=endpoint, s3_delivery="redirect", s3_link_seconds=30)
    links = choosing.links_of(chosen)
    assert (links.base_url, links.ttl_seconds) == (base_url, 30)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"store": "/var/files"}, "MARKETPLACE_STORE"),
        ({"store": "s3://Musubi"}, "MARKETPLACE_STORE"),
        ({"store": "s3://musubi-files/../other"}, None),
        (BUCKET | {"s3_access_key_id": "AKIATEST"}, "AWS_SECRET_ACCESS_KEY"),
        (BUCKET | {"s3_endpoint": "http://s3.example.jp"}, "https"),
        (BUCKET | {"s3_endpoint": "s3.example.jp"}, "MARKETPLACE_S3_ENDPOINT"),
        (BUCKET | {"s3_endpoint": "https://user@s3.example.jp"}, "MARKETPLACE_S3_ENDPOINT"),
        ({"s3_delivery": "redirect"}, "MARKETPLACE_STORE"),
        (BUCKET | {"s3_delivery": "redirect"}, "AWS_ACCESS_KEY_ID"),
        (BUCKET | {"s3_delivery": "mail"}, "MARKETPLACE_S3_DELIVERY"),
    ],
    ids=[
        "a path", "no bucket's name", "a way out", "half a key", "plain", "no address", "a user", "no bucket",
        "no key to sign with", "another way",
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_variable_to_mend(tmp_path, changes, named):
    with pytest.raises(BadSetting, match=named):
        choosing.links_of(given(tmp_path, **changes))
        choosing.store_of(given(tmp_path, **changes))
    assert list(tmp_path.iterdir()) == []
