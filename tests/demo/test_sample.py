"""The synthetic sample says what it is and is the same every time."""

import hashlib
from pathlib import Path

from marketplace.catalog import profiling
from marketplace.demo import sample


def test_the_sample_is_the_same_every_time_and_says_that_it_is_synthetic(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    path = sample.write_sample(one)
    assert (
        hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(sample.write_sample(other).read_bytes()).digest()
    )
    assert "synthetic" in path.name
    content = path.read_bytes()
    assert content.startswith("\ufeff# 合成データ".encode())
    assert content.count(b"\r\n") == content.count(b"\n")
    assert 1 << 20 <= len(content) <= 3 << 20


def test_the_profile_of_the_sample_finds_its_flow_and_temperature(tmp_path: Path):
    path = sample.write_sample(tmp_path)
    document = profiling.profile_file(path, path.name).document
    assert (document["encoding"], document["bom"], document["line_ending"]) == ("utf-8", True, "crlf")
    assert document["rows"] == path.read_bytes().count(b"\n") - 4
    types = {column["name"]: column["type"] for column in document["columns"]}
    assert (types["日付"], types["人流_人"], types["気温_最高_℃"]) == ("date", "integer", "decimal")
    assert "合成データ" in document["preamble"][0]["value"]
    assert document["embedded_license"]["id"] == "CC0-1.0"
    assert document["warnings"] == []
