"""`marketplace delivery correct`: usage set right at the machine, once."""

from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import queries
from tests.cli.conftest import Run
from tests.factories.metering import entitlement_of, fetch


def test_usage_is_corrected_once_and_nonsense_is_said(run: Run) -> None:
    with transaction():
        right = entitlement_of(size_bytes=100)
        delivery_id = fetch(right).delivery_id
    given = ("delivery", "correct", delivery_id, "--reference", "INC-42", "--reason", "二重取込み")
    first = run(*given, "--bytes=-40")
    assert run(*given, "--bytes=-40") == first
    assert "corrects use_" in first
    assert "this reference" in run(*given, "--bytes=-41", code=1)
    db.session.rollback()
    assert queries.get_quota(right.grant_id).used_bytes == 60
