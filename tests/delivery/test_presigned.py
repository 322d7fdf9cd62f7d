"""Addresses signed by us are what S3 computes, end soon, and bind the range."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from marketplace.delivery.stores import presigned
from marketplace.delivery.stores.presigned import Keys, Links
from marketplace.delivery.stores.s3 import S3Store
from tests import s3

# AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", the example of that page.
EXAMPLE = Links(
    "https://examplebucket.s3.amazonaws.com",
    "us-east-1",
    Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    86400,
)
CONTENT = b"0123456789"


def test_the_signature_is_that_of_the_published_example():
    at = datetime(2013, 5, 24, tzinfo=UTC)
    url = presigned.sign(f"{EXAMPLE.base_url}/test.txt", {}, {}, EXAMPLE, at)
    [signature] = parse_qs(urlsplit(url).query)["X-Amz-Signature"]
    assert signature == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


def test_keys_that_end_by_themselves_name_their_token_in_the_address():
    links = replace(EXAMPLE, keys=replace(EXAMPLE.keys, session_token="a/b=="))
    url = links.to("ab" * 32, {}, {}, datetime(2026, 11, 29, tzinfo=UTC))
    assert "X-Amz-Security-Token=a%2Fb%3D%3D&" in url


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with s3.served(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="module")
def sha256(endpoint, tmp_path_factory):
    return S3Store(s3.place(endpoint), tmp_path_factory.mktemp("cache"), 2**20).receive([CONTENT], 100).sha256


@pytest.fixture
def links(endpoint):
    return Links(f"{endpoint}/musubi/exchange", "us-east-1", Keys(s3.KEY, s3.SECRET), 60)


def fetched(url, **fields):
    return requests.get(url, headers=fields, timeout=60)


def test_the_store_answers_at_the_address_as_it_was_told(links, sha256):
    query = {"response-content-type": "text/csv; charset=cp932", "x-delivery": "dlv_1"}
    answer = fetched(links.to(sha256, query, {}, datetime.now(UTC)))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "text/csv; charset=cp932"


def test_a_signed_range_is_the_only_one(links, sha256):
    url = links.to(sha256, {}, {"Range": "bytes=2-4"}, datetime.now(UTC))
    assert fetched(url, Range="bytes=2-4").content == b"234"
    assert fetched(url, Range="bytes=2-9").status_code == 403
    assert fetched(url).status_code == 403


def test_an_address_ends(links, sha256):
    assert fetched(links.to(sha256, {}, {}, datetime.now(UTC) - timedelta(seconds=61))).status_code == 403


def test_another_object_delivery_or_name_is_another_signature(links, sha256):
    url = links.to(sha256, {"x-delivery": "dlv_1"}, {}, datetime.now(UTC))
    for other in (url.replace("dlv_1", "dlv_2"), url.replace(sha256[:2] + "/", "00/", 1)):
        assert other != url
        assert fetched(other).status_code == 403


def test_an_address_is_for_fetching_and_for_nothing_else(links, sha256):
    url = links.to(sha256, {}, {}, datetime.now(UTC))
    for method in ("PUT", "DELETE"):
        assert requests.request(method, url, data=b"other", timeout=60).status_code == 403
    assert fetched(url).content == CONTENT
