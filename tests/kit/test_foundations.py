"""Clock, ids, canonical JSON, money, pages, refusals."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kit import canonical, clock, errors, ids, pages
from marketplace.kit.errors import Invalid, Refusal


def test_the_clock_stops_and_goes_on() -> None:
    at = datetime(2026, 11, 22, 15, tzinfo=UTC)
    with clock.stopped(at):
        assert clock.now() == at
        assert clock.today().isoformat() == "2026-11-23"
        with clock.stopped(at - timedelta(seconds=1)):
            assert clock.today().isoformat() == "2026-11-22"
        assert clock.now() == at
    assert clock.now() > at.replace(year=2000)


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-22T09:00:00", "", "now", "2026-13-01T00:00:00Z"])
def test_an_instant_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clock.parse(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00"])
def test_an_instant_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 9999"):
        clock.parse(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_are_written_at_one_length_and_read_back(at: datetime) -> None:
    written = clock.text(at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", written)
    assert clock.parse(written) == at


def test_ids_are_unique_readable_and_in_the_order_of_their_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [ids.new_id("ds") for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(ids.ID_PATTERN.fullmatch(one) for one in made)
    moments = [one[:15] for one in made]
    assert moments == sorted(moments)
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_790_000_000_123_456_789)
    first = ids.new_id("ord")
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_790_000_000_124_000_000)
    assert first < ids.new_id("ord")
    assert int(first[4:16], 16) == 1_790_000_000_123


def test_ids_of_one_millisecond_are_in_the_order_in_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    instants = iter(range(1_790_000_000_123_000_000, 1_790_000_000_124_000_000, 250))
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(instants))
    made = [ids.new_id("ds") for _ in range(4_000)]
    assert made == sorted(made)
    assert len({one[:15] for one in made}) == 1


def test_ids_are_uuids_of_version_7() -> None:
    import uuid

    parsed = uuid.UUID(ids.new_id("ds").removeprefix("ds_"))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_the_example_of_rfc_8785() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    assert canonical.canonical_json(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical.canonical_json(value))) == [
        "\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), {1: 2}, {"a"}, "\ud800", b"x"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        canonical.canonical_json([value])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_the_fast_way_and_the_standard_agree(value: object) -> None:
    assert canonical.canonical_json(value) == rfc8785.dumps(value)


def test_a_value_is_named_by_its_canonical_form() -> None:
    assert canonical.digest_of({"b": 1, "a": "札幌"}) == canonical.digest_of({"a": "札幌", "b": 1.0})
    assert canonical.sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_pages_are_cut_with_a_cursor_to_what_follows() -> None:
    page = pages.cut([5, 4, 3], 2, lambda row: [row])
    assert (list(page.items), pages.decode_cursor(page.next_cursor, 1)) == ([5, 4], [4])
    assert pages.cut([5, 4], 2, lambda row: [row]).next_cursor is None
    assert pages.cut([], 2, lambda row: [row]).next_cursor is None
    assert pages.decode_cursor(None, 1) is pages.decode_cursor("", 1) is None


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.integers()))
def test_a_cursor_is_read_as_it_was_written(key: list[object]) -> None:
    assert pages.decode_cursor(pages.encode_cursor(key), len(key)) == key


@given(st.text(min_size=1) | st.binary(min_size=1).map(lambda raw: pages.encode_cursor([raw.hex()])[:-1]))
def test_a_cursor_that_nobody_wrote_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        pages.decode_cursor(cursor, 3)


@pytest.mark.parametrize("key", [[None], [1.5], [[]], [{}], ["\0"], ["\ud800"], {"a": 1}, [1, 2]])
def test_a_cursor_of_other_parts_is_refused(key: object) -> None:
    import base64

    with pytest.raises(Invalid):
        pages.decode_cursor(base64.urlsafe_b64encode(json.dumps(key).encode()).decode(), 1)


def test_every_refusal_has_its_words_in_both_languages() -> None:
    assert list(errors.all_refusals()) == sorted(errors.all_refusals())
    for slug, refusal in errors.all_refusals().items():
        assert re.fullmatch(r"[a-z][a-z0-9-]+", slug), slug
        assert 400 <= refusal.status <= 599, slug
        assert all((refusal.title, refusal.title_ja, refusal.cause, refusal.cure)), slug


def test_two_refusals_do_not_share_a_slug() -> None:
    with pytest.raises(TypeError, match="share the slug"):
        type("Again", (Refusal,), {"slug": "not-found"})
    type("NotFoundHere", (errors.NotFound,), {})


def test_a_refusal_carries_its_detail_or_its_cause() -> None:
    assert errors.NotFound().detail == errors.NotFound.cause
    refusal = errors.Invalid("Too short.", errors=[{"pointer": "/a", "detail": "b"}], limit=3)
    assert (refusal.detail, refusal.members, str(refusal)) == ("Too short.", {"limit": 3}, "Too short.")
