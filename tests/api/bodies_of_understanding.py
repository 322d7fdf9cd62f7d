"""Bodies that work for the addresses by which a dataset is understood, tried, announced, derived and cited."""

from datetime import timedelta
from typing import Any

from marketplace.kit import clock

DICTIONARY = {"columns": [{"name": "人数", "label_en": "Passers-by", "unit": "人", "personal": False}]}
TRIAL = {"duration_days": 7, "quota_bytes": 1_000_000}
CITATION = {"kind": "publication", "title": "歩行者流動の研究", "url": "https://example.jp/paper"}


def teaser_body() -> dict[str, Any]:
    """What a provider says of a dataset to come."""
    return {
        "title_ja": "積雪センサー", "title_en": "Snow depth", "description_ja": "来冬から。", "description_en": "From next winter.",
        "themes": ["land_weather"], "region": "011002", "expected_on": (clock.today() + timedelta(days=60)).isoformat(),
        "columns": [{"name": "積雪深（cm）", "label_en": "Snow depth", "unit": "cm"}], "price_from_yen": 10_000, "price_to_yen": 50_000,
    }  # fmt: skip


def bodies_of(offer: dict[str, Any], free_terms_id: str) -> dict[str, Any]:
    """A body for each address that takes one."""
    return {
        "PUT /v1/datasets/<dataset_id>/dictionary": DICTIONARY,
        "PUT /v1/datasets/<dataset_id>/trial": TRIAL | {"terms_id": free_terms_id},
        "POST /v1/catalog/<dataset_id>/trial": {"accept_terms_sha256": offer["terms_sha256"]},
        "PUT /v1/datasets/<dataset_id>/lineage": {"sources": [{"url": "https://example.jp/source", "title": "気象"}]},
        "POST /v1/catalog/<dataset_id>/citations": CITATION,
        "POST /v1/citations/<citation_id>/decision": {"state": "declined"},
        "POST /v1/teasers": teaser_body(),
        "PUT /v1/teasers/<teaser_id>": teaser_body(),
    }


def made_of(market: Any, dataset_id: str, trial_terms_id: str) -> dict[str, str]:
    """Ids of a teaser, and of a citation that waits; the dataset may be tried."""
    tried = market.provider.call("PUT", f"/v1/datasets/{dataset_id}/trial", json=TRIAL | {"terms_id": trial_terms_id})
    teaser = market.provider.post("/v1/teasers", teaser_body())
    cited = market.buyer.post(f"/v1/catalog/{dataset_id}/citations", CITATION | {"url": "https://example.jp/first"})
    assert (tried.status_code, teaser.status_code, cited.status_code) == (200, 201, 201)
    return {"teaser_id": teaser.json["id"], "citation_id": cited.json["id"]}
