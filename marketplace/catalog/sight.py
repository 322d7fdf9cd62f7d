"""Whose listings a reader sees beside the public ones."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sight:
    """The groups whose private listings are seen; ``catalog.groups.queries.sight_of`` makes it for a caller."""

    groups: frozenset[str] = frozenset()


EVERYBODY = "everybody"
"""What the search index has in the place of a group where there is none."""
PUBLIC = Sight()
"""What everybody sees: whoever forgets to say for whom it reads, reads for the public."""
