"""The desk of descriptions: what waits for a decision is read and decided by plain pages."""

import pytest
from flask import Flask

from marketplace.catalog.repairs import queries
from marketplace.identity.actors import on_behalf_of
from marketplace.identity.states import Assurance
from marketplace.kit.transaction import transaction
from tests.factories.catalog import DatasetFactory
from tests.factories.harvests import harvested
from tests.web.people import Someone, signed_in, someone
from tests.web.test_pages import check

PAGE = "/organization/repairs"


@pytest.fixture
def owner(app: Flask) -> Someone:
    return someone()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_findings_and_harvests_are_shown_in_both_languages(app: Flask, owner: Someone, language: str) -> None:
    with transaction():
        dataset_id = DatasetFactory(organization=owner.organization, title_ja="避難所<b>").id
    harvested(owner.organization.id, dataset_id)
    answer = signed_in(app, owner, Assurance.AAL2).get(f"{PAGE}?lang={language}")
    check(answer, language)
    assert "避難所&lt;b&gt;" in answer.text
    assert "https://ckan.example.jp/walk" in answer.text


def test_a_finding_is_decided_once_and_others_are_told_of_nothing(app: Flask, owner: Someone) -> None:
    with transaction():
        dataset_id = DatasetFactory(organization=owner.organization).id
    ids = harvested(owner.organization.id, dataset_id)
    form = {"dataset_id": dataset_id, "repair_id": ids["repair_id"], "accept": "yes"}
    other = someone()
    with transaction():
        harvested_of = DatasetFactory(organization=other.organization).id
    harvested(other.organization.id, harvested_of)
    stranger = signed_in(app, other, Assurance.AAL2)
    assert stranger.fill(PAGE, form).status_code == 404
    browser = signed_in(app, owner, Assurance.AAL2)
    assert browser.fill(PAGE, form).status_code == 303
    [found] = queries.list_repairs(on_behalf_of(owner.organization.id), dataset_id).items
    assert found.state == "accepted"
    assert "repair_id" not in browser.get(PAGE).text
