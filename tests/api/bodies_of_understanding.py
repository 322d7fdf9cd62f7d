"""Bodies that work for the addresses by which a dataset is understood."""

DICTIONARY = {"columns": [{"name": "人数", "label_en": "Passers-by", "unit": "人", "personal": False}]}
BODIES = {"PUT /v1/datasets/<dataset_id>/dictionary": DICTIONARY}
