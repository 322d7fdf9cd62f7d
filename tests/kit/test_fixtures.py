"""The outer transaction of the tests keeps nothing."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.audit import queries, service
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import after_commit, transaction


@pytest.mark.parametrize("_turn", [1, 2])
def test_what_a_test_commits_is_gone_in_the_next(session: Session, _turn: int) -> None:
    assert not queries.search_entries(queries.Search()).items
    with transaction():
        service.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_1")
    assert len(queries.search_entries(queries.Search()).items) == 1


def test_a_failed_story_keeps_nothing_and_runs_no_after_commit(session: Session) -> None:
    ran = []
    with pytest.raises(ZeroDivisionError), transaction():
        service.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_1")
        after_commit(lambda: ran.append(1))
        raise ZeroDivisionError
    assert not ran
    assert session.execute(text("SELECT count(*) FROM audit_entry")).scalar() == 0


def test_stories_are_not_nested(session: Session) -> None:
    with transaction(), pytest.raises(RuntimeError, match="not nested"), transaction():
        pass
