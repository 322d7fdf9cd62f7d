"""Which findings are applied by themselves, and what a decision changes: pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.catalog.cleaning.mending import SURE, Finding, Rule, applied
from marketplace.catalog.repairs.states import IN_FORCE, RepairState
from marketplace.catalog.rules import KEYWORDS_MAX, DatasetDraft
from marketplace.catalog.states import Frequency, Licence, Theme
from marketplace.kit.canonical import digest_of

# What is written freely cannot be kept in a field of codes: reading it is no choice.
READINGS = frozenset({Rule.FREQUENCY, Rule.LICENCE})
# What is read for show alone is shown so, and asks for no decision.
_SHOWN = frozenset({Rule.PERIOD, Rule.FORMATS})
_LISTS = frozenset({"keywords", "themes"})
_UNREAD = {Rule.FREQUENCY: Frequency.UNKNOWN.value, Rule.LICENCE: Licence.OTHER.value}


def digest(finding: Finding) -> str:
    """Return what names a finding on a dataset, however often it is found."""
    return digest_of({"rule": finding.rule.value, "after": finding.after})


def is_automatic(finding: Finding, *, repairs: bool) -> bool:
    """Tell whether a finding is applied by itself."""
    if finding.field is None:
        return finding.rule in _SHOWN
    return finding.rule in READINGS or (repairs and finding.confidence >= SURE)


def chosen(found: Sequence[Finding], states: Mapping[str, str], *, repairs: bool) -> list[Finding]:
    """Return the findings that hold: those the provider accepted, and automatic ones that it has not refused."""
    if not states:
        return [one for one in found if is_automatic(one, repairs=repairs)]
    decided = [(one, states.get(digest(one))) for one in found]
    return [
        one
        for one, state in decided
        if state == RepairState.ACCEPTED or (state != RepairState.REFUSED and is_automatic(one, repairs=repairs))
    ]


def held_by(draft: DatasetDraft, finding: Finding) -> Any:
    """Return what a field goes back to if the finding is refused."""
    if finding.rule in _UNREAD:
        return _UNREAD[finding.rule]
    value = getattr(draft, finding.field) if finding.field else None
    return [str(item) for item in value] if isinstance(value, tuple) else value


def mended(draft: DatasetDraft, found: Sequence[Finding], states: Mapping[str, str], *, repairs: bool) -> DatasetDraft:
    """Return a draft with the findings that hold."""
    return applied(draft, chosen(found, states, repairs=repairs))


def accepting(field: str, present: Any, after: Any) -> Any:
    """Return the value of a field once a finding is accepted."""
    if field not in _LISTS:
        return after
    kept = [item for item in present if item != Theme.OTHER]
    return list(dict.fromkeys([*kept, *after]))[:KEYWORDS_MAX]


def refusing(field: str, present: Any, after: Any, held: Any) -> Any:
    """Return the value of a field once a finding in force is refused; what was written since stays."""
    if field in _LISTS:
        left = [item for item in present if item not in after or item in (held or [])]
        return left or ([Theme.OTHER.value] if field == "themes" else [])
    return held if present == after else present


def takes_effect(state: str, *, accept: bool) -> bool:
    """Tell whether a decision changes what is in force."""
    return (state in IN_FORCE) != accept
