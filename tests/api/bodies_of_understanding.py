"""Bodies that work for the addresses by which a dataset is understood and tried."""

from typing import Any

DICTIONARY = {"columns": [{"name": "人数", "label_en": "Passers-by", "unit": "人", "personal": False}]}
TRIAL = {"duration_days": 7, "quota_bytes": 1_000_000}


def bodies_of(offer: dict[str, Any], free_terms_id: str) -> dict[str, Any]:
    """A body for each address that takes one."""
    return {
        "PUT /v1/datasets/<dataset_id>/dictionary": DICTIONARY,
        "PUT /v1/datasets/<dataset_id>/trial": TRIAL | {"terms_id": free_terms_id},
        "POST /v1/catalog/<dataset_id>/trial": {"accept_terms_sha256": offer["terms_sha256"]},
    }
