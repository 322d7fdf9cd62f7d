"""Profiles a file twice: as the exchange does, and in this process, where coverage can be measured."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketplace.catalog import profiling
from marketplace.catalog.profiling import Profile, ProfileLimits, child, parent

SMALL = ProfileLimits(memory_bytes=512 << 20, cpu_seconds=60, wall_seconds=120)


def comparable(profile: Profile) -> tuple:
    document = dict(profile.document)
    # Estimates depend on the seed of str hashes, which only the reader's environment fixes.
    document["columns"] = [
        column | {"distinct_estimate": 0} if column["distinct_method"] == "bottom-k" else column
        for column in document.get("columns", [])
    ]
    return profile.state, document


@pytest.fixture
def profile_of(tmp_path: Path) -> Iterator[Callable[..., Profile]]:
    """Profile some bytes under a name; both ways of reading must agree."""
    cell_limit = csv.field_size_limit()

    def profile(name: str, content: bytes | Path, limits: ProfileLimits = SMALL) -> Profile:
        path = content if isinstance(content, Path) else tmp_path / "stored"
        if isinstance(content, bytes):
            path.write_bytes(content)
        found = profiling.profile_file(path, name, limits)
        with path.open("rb") as file:
            here = parent.judged(child.answered(file, name, limits), 0, limits)
        assert comparable(here) == comparable(found)
        return found

    yield profile
    csv.field_size_limit(cell_limit)
