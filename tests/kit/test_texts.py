"""Texts that the database cannot hold are known, and match nothing when they are looked for."""

import pytest

from marketplace.kit.texts import is_storable, storable


@pytest.mark.parametrize("text", ["", "人流.csv", "ds_0", "🗾", "a b\n"])
def test_an_ordinary_text_is_looked_for_as_it_is(text: str) -> None:
    assert storable(text) == text
    assert is_storable(text, None)


@pytest.mark.parametrize(("text", "sought"), [("a\0b", "a b"), ("\ud800", "?"), ("x\udfff\0", "x? ")])
def test_what_would_fail_a_query_is_replaced(text: str, sought: str) -> None:
    assert storable(text) == sought
    assert not is_storable("fine", text)
