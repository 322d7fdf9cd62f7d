"""HTTP dates in and out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marketplace.delivery import http_dates

AT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "field", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_all_three_forms_of_the_rfc_are_read(field):
    assert http_dates.parse(field) == AT


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        "now",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 +0900",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "9" * 9999,
    ],
)
def test_anything_else_is_no_date(field):
    assert http_dates.parse(field) is None


def test_an_instant_in_japan_is_written_in_greenwich():
    assert http_dates.write(AT.astimezone(timezone(timedelta(hours=9)))) == "Sun, 06 Nov 1994 08:49:37 GMT"
