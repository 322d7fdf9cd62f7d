"""Callers of the catalogue."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from marketplace.catalog import service
from marketplace.catalog.models import File, Release
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.states import ProfileState
from marketplace.identity.actors import Actor
from marketplace.kit import jobs
from tests.factories.identity import OrganizationFactory, actor_of

Attach = Callable[..., File]


@pytest.fixture(autouse=True)
def profile_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that attaching asks for stands above the catalogue: here it waits and does nothing."""
    monkeypatch.setitem(jobs._tasks, service.PROFILE_JOB, lambda file_id: None)


@pytest.fixture
def provider(session: Session) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


@pytest.fixture
def stranger(session: Session) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


@pytest.fixture
def auditor(session: Session) -> Actor:
    return actor_of(OrganizationFactory(auditor=True))


@pytest.fixture
def attach(provider: Actor) -> Attach:
    """Attach made-up bytes to a release."""

    def attach(
        release: Release, name: str = "人流.csv", content: bytes = b"a,b\n1,2\n", state: ProfileState | None = None
    ) -> File:
        sha256 = hashlib.sha256(content).hexdigest()
        file = service.attach_file(provider, release.id, name, "text/csv", sha256, len(content))
        return service.record_profile(file.id, {"rows": 1}, state) if state else file

    return attach


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    return SearchIndex(tmp_path / "search")
