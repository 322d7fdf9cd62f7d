"""Races, decided by the database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from flask import Flask

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import queries, service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.errors import CorporateNumberTaken, OrganizationMoveRefused
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApplicationDraftFactory


def test_of_eight_applications_with_one_number_that_are_checked_at_once_one_succeeds(own_database: Flask) -> None:
    draft = ApplicationDraftFactory()
    with transaction():
        waiting = [service.apply(replace(draft, name_en=f"Racer {n}")).organization.id for n in range(8)]

    def attempt(organization_id: str) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    service.admit_application(organization_id)
            except CorporateNumberTaken:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, waiting)) == 1
    assert len(queries.list_organizations().items) == 1


def test_of_eight_operators_that_verify_at_once_one_does(own_database: Flask) -> None:
    with transaction():
        applicant = service.apply(ApplicationDraftFactory()).organization.id
        service.admit_application(applicant)

    def attempt(_n: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    service.verify_organization(SYSTEM, applicant)
            except OrganizationMoveRefused:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    entries = record.search_entries(record.Search(subject=applicant, verb=Verb.ORGANIZATION_VERIFIED.value)).items
    assert len(entries) == 1
