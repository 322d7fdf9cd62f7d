"""How a dataset is understood over the wire."""

import pytest

from tests.api.trade import Market, ok, refused, row_counts

NOTE = {"name": "人数", "label_ja": "通行者数", "label_en": "Passers-by", "unit": "人"}


def declare(market: Market, dataset_id: str, body: object, version: str = '"1"', who: str = "provider"):
    path = f"/v1/datasets/{dataset_id}/dictionary"
    return getattr(market, who).call("PUT", path, json=body, headers={"If-Match": version})


def test_a_dictionary_is_declared_at_the_version_that_was_read(market: Market) -> None:
    dataset_id = market.dataset()["id"]
    path = f"/v1/datasets/{dataset_id}/dictionary"
    assert ok(market.provider.get(path)) == {"dataset_id": dataset_id, "version": 1, "columns": []}

    answer = declare(market, dataset_id, {"columns": [NOTE]})
    told = ok(answer)

    assert told["columns"] == [NOTE | {"description_ja": "", "description_en": "", "personal": None}]
    assert (told["version"], answer.headers["ETag"]) == (2, '"2"')
    before = row_counts()
    assert refused(declare(market, dataset_id, {"columns": []}), 412, "version-stale")["version"] == 2
    refused(market.provider.call("PUT", path, json={"columns": []}), 428, "version-missing")
    refused(declare(market, dataset_id, {"columns": []}, '"2"', "rival"), 404, "not-found")
    refused(declare(market, dataset_id, {"columns": []}, '"2"', "buyer"), 403, "insufficient-scope")
    assert row_counts() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"columns": [NOTE, NOTE]}, "/columns/1/name"), ({"columns": [{"name": ""}]}, "/columns/0/name"),
        ({"columns": [NOTE | {"unit": "x" * 50}]}, "/columns/0/unit"), ({}, "/columns"), ({"columns": [{"name": "a", "b": 1}]}, "/columns/0/b"),
        ({"columns": [NOTE | {"description_ja": "\0"}]}, "/columns/0/description_ja"),
        ({"columns": [NOTE | {"label_ja": "\u202e\x07"}]}, "/columns/0/label_ja"),
    ],
)  # fmt: skip
def test_a_dictionary_that_breaks_a_rule_is_pointed_at(market: Market, body: object, pointer: str) -> None:
    dataset_id = market.dataset()["id"]
    before = row_counts()
    refused(declare(market, dataset_id, body), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_anybody_reads_what_helps_to_judge_a_listed_dataset(market: Market) -> None:
    goods = market.goods()
    at = f"/v1/catalog/{goods.dataset_id}"

    quality = ok(market.nobody.get(f"{at}/quality"))
    assert quality["score"] == sum(part["points"] for part in quality["parts"])
    assert sum(part["points_max"] for part in quality["parts"]) == 100
    assert all(advice["ja"] and advice["en"] for part in quality["parts"] for advice in part["improve"])
    assert ok(market.provider.get(f"/v1/datasets/{goods.dataset_id}/quality")) == quality
    assert ok(market.nobody.get(at))["quality"]["score"] == quality["score"]
    assert ok(market.nobody.get(f"{at}/dictionary")) == {"dataset_id": goods.dataset_id, "columns": []}
    assert ok(market.nobody.get(f"{at}/sample"))["rows"] == []
    assert ok(market.nobody.get(f"{at}/coverage"))["bbox"] is None
    (only,) = ok(market.nobody.get(f"{at}/history"))["items"]
    assert (only["release_id"], only["on_time"], only["changes"], only["rows"]) == (goods.release_id, None, None, 2)
    changes = ok(market.nobody.get(f"{at}/changes"))
    assert (changes["before"], changes["after"]) == (None, goods.release_id)


@pytest.mark.parametrize("what", ["dictionary", "sample", "coverage", "quality", "history", "changes"])
def test_of_what_is_not_listed_nothing_is_told(market: Market, what: str) -> None:
    draft = market.dataset()["id"]
    for dataset_id in (draft, "ds_0"):
        refused(market.nobody.get(f"/v1/catalog/{dataset_id}/{what}"), 404, "not-found")
        refused(market.provider.get(f"/v1/catalog/{dataset_id}/{what}"), 404, "not-found")


def test_releases_of_other_datasets_are_not_compared(market: Market) -> None:
    goods, other = market.goods(), market.goods()
    at = f"/v1/catalog/{goods.dataset_id}"
    refused(market.nobody.get(f"{at}/changes?before={other.release_id}&after={goods.release_id}"), 404, "not-found")
    refused(market.nobody.get(f"{at}/sample?file_name=other.csv"), 404, "not-found")
    refused(market.nobody.get(f"{at}/sample?rows=0"), 422, "invalid-input", "/rows")
