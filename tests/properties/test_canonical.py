"""Canonical JSON is RFC 8785 whichever way it is made."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kit.canonical import canonical_json

SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_every_value_is_written_as_the_reference_writes_it(value):
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", {"a": "\udfff"}, float("nan")])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)


def test_keys_are_sorted_by_their_utf_16_code_units():
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2, "b": 3}).decode() == '{"b":3,"\U0001f600":2,"\ufb33":1}'
