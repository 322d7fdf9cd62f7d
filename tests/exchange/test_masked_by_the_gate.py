"""What the gate found on a whole file is masked in its sample, though no row of the sample shows it."""

import json

import pytest
from flask import Flask

from marketplace.catalog import listings, service
from marketplace.catalog import queries as catalog
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.models import File
from marketplace.exchange import gate, listing, showcase, understanding
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.privacy import masking, queries
from marketplace.privacy.detectors import MASK, Kind, Level
from marketplace.privacy.masking import ColumnFound
from marketplace.privacy.models import PrivacyFinding
from marketplace.privacy.states import Answer
from tests.factories import market
from tests.factories.oversight import in_person
from tests.factories.privacy import CONSENTED, assessed, cleared

PROFILE = {
    "columns": [{"name": "備考", "min": "a", "max": "z"}, {"name": "区", "min": "北区"}],
    "preview": [["a", "北区"]],
}


def deep_file(on: market.Listed) -> File:
    """A file of which only rows far below the sample hold what is of people."""
    harmless = [f"memo {number:05}" for number in range(4000)]
    addresses = [f"kana{number}@example.jp" for number in range(1200)]
    rows = "\n".join(f"{text},北区" for text in ["a", "z", *harmless, *addresses, *harmless])
    stored = listing.receive([f"備考,区\n{rows}\n".encode()], None, None)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "深い")
        file = listing.attach(on.provider, release.id, "深い.csv", "text/csv", stored)
    jobs.run_pending("catalog.profile")
    db.session.expire_all()
    return file


def approved(on: market.Listed, found: PrivacyFinding) -> None:
    """What was found may be listed: its people agreed, and the assessment is over."""
    with transaction():
        gate.state(on.provider, on.dataset_id, CONSENTED)
        gate.answer(in_person(on.provider), found.id, found.sha256, Answer.LAWFUL_BASIS, "同意を得ている。")
    assessed(on.dataset_id)


def published(on: market.Listed, file: File) -> dict[str, object]:
    with transaction():
        listing.publish(on.provider, file.release_id)
    shown = listings.find_listing(on.dataset_id)
    assert shown is not None
    return shown.document["releases"][0]["files"][0]["profile"]


def test_a_column_of_which_the_sample_shows_nothing_is_masked_all_the_same(app: Flask) -> None:
    del app
    on = market.listed()
    file = deep_file(on)
    profile = catalog.get_file(file.id).profile
    assert profile is not None
    assert masking.suspect(profile) == {}  # the sampled rows do not show it
    [found] = queries.findings_of(file.release_id)
    assert (found.kind, found.place, found.level) == (Kind.EMAIL, 1, Level.MEDIUM)
    approved(on, found)
    shown = published(on, file)
    memo, district = shown["columns"]
    assert (memo["masked"], memo["examples"], memo["min"]) == ([str(Kind.EMAIL)], [], None)
    assert district["min"] == "北区"
    assert {row[0] for row in shown["preview"]} == {MASK}
    assert "memo" not in json.dumps(shown)
    page = showcase.list_files(on.dataset_id, file.release_id)
    assert page.items[0]["profile"] == shown
    sample = understanding.sample_of(understanding.read(None, on.dataset_id), None, None)
    assert {row[0] for row in sample["rows"]} == {MASK}


def test_what_people_settled_as_a_false_alarm_is_shown(app: Flask) -> None:
    del app
    on = market.listed()
    file = deep_file(on)
    with transaction():
        cleared(on.provider, file.release_id)
    assert "masked" not in published(on, file)["columns"][0]


def test_a_provider_lifts_it_as_it_lifts_what_a_detector_took_for_people(app: Flask) -> None:
    del app
    on = market.listed()
    file = deep_file(on)
    [found] = queries.findings_of(file.release_id)
    approved(on, found)
    published(on, file)
    version = catalog.get_dataset(on.dataset_id).version
    with transaction():
        notes = [ColumnNote("備考", personal=False)]
        understanding.declare_dictionary(on.provider, on.dataset_id, notes, version)
    shown = listings.find_listing(on.dataset_id)
    assert shown is not None
    assert "masked" not in shown.document["releases"][0]["files"][0]["profile"]["columns"][0]


@pytest.mark.parametrize(
    ("found", "masked"),
    [
        (ColumnFound("備考", 2, "email"), {"備考": ["email"]}),  # known by its name before its place
        (ColumnFound("column 2", 2, "email"), {"区": ["email"]}),
        (ColumnFound("別表の列", 3, "email"), {}),
    ],
)
def test_a_column_is_known_by_its_name_or_else_by_its_place(found: ColumnFound, masked: dict[str, list[str]]) -> None:
    assert masking.gathered(PROFILE, [found]) == masked
    assert masking.decided(masking.gathered(PROFILE, [found]), dict.fromkeys(masked, False)) == {}


def test_no_word_lifts_what_no_catalogue_shows() -> None:
    found = [ColumnFound("備考", 1, str(Kind.CARD_NUMBER)), ColumnFound("備考", 1, "email")]
    assert masking.decided(masking.gathered(PROFILE, found), {"備考": False}) == {"備考": [str(Kind.CARD_NUMBER)]}
