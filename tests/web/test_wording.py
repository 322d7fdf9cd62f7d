"""Figures, types and languages in words."""

import pytest
from flask import Flask

from marketplace.kit.language import preferred
from marketplace.web import figures
from marketplace.web.description import Description


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**20, "1.0 MiB"),
        (2**50, "1,024.0 TiB"),
    ],
)
def test_sizes_are_said_in_binary_units(app: Flask, size_bytes, words):
    with app.test_request_context("/?lang=en"):
        assert figures.size(size_bytes) == words


def test_what_is_not_known_is_a_dash(app: Flask):
    assert figures.share(None) == figures.count(None) == figures.day(None) == "–"
    with app.test_request_context("/"):
        assert figures.theme(None) == "–"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ([], "en"), ([("ja-JP", 1), ("en", 0.3)], "ja"), ([("en", 0.5), ("JA", 0.6)], "ja"), ([("ja", 0)], "en"),
        ([("jam", 1)], "en"), ([("ja", 1), ("en", 1)], "ja"),
    ],
)  # fmt: skip
def test_the_language_liked_best_is_chosen(accepted, language):
    assert preferred(accepted) == language


def test_a_description_is_read_through_references_lists_and_alternatives():
    properties = {
        "one": {"$ref": "#/components/schemas/B"},
        "many": {"type": "array", "items": {"$ref": "#/components/schemas/B"}},
        "perhaps": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/B"}]},
        "text": {"type": ["string", "null"], "enum": ["x", None], "default": "x", "maxLength": 5},
    }
    described = Description(
        lambda: {
            "tags": [{"name": "things"}],
            "paths": {"/t/{id}": {"get": {"tags": ["things"], "responses": {"200": {"content": {"a/b": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}},
            "components": {"schemas": {"A": {"properties": properties, "required": ["one"]}, "B": {}, "Unused": {}}},
        }
    )  # fmt: skip
    (a, _, fields), (b, _, none) = described.schemas
    assert (a, b, none) == ("A", "B", [])
    assert [(field.name, field.kind.text, field.kind.schema, field.required) for field in fields] == [
        ("one", "B", "B", True), ("many", "list of B", "B", False), ("perhaps", "B", "B", False), ("text", "string or null", None, False),
    ]  # fmt: skip
    assert fields[3].note == "one of x; at most 5 characters; default x"
    [(_, _, [operation])] = described.tags
    assert (operation.anchor, operation.method, operation.answers[0].kind.schema) == ("get-t--id-", "GET", "A")
