"""How much a profile tells, and how one of an earlier version is brought up to that. Pure."""

from typing import Any

FORM = 2
"""1 had columns with their ends; 2 has distributions, and grids of geometries."""
Profile = dict[str, Any]


def completed(known: Profile, found: Profile) -> Profile:
    """Return a profile with what a later look adds: nothing that was told before changes, and no column comes or goes.

    Where the later look reads other columns, by a better guess of the header for example, they stay as they were.
    """
    told = {**found, **known}
    before, after = known.get("columns"), found.get("columns")
    if before and after and [one.get("name") for one in before] == [one.get("name") for one in after]:
        told["columns"] = [{**new, **old} for old, new in zip(before, after, strict=True)]
    return told
