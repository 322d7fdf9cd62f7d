"""What people do with their own accounts, as it stands in the record: by id alone."""

from typing import Any

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor


def record(person_id: str, verb: Verb, *, subject: str | None = None, facts: dict[str, Any] | None = None) -> None:
    """Write a person's deed into the open transaction; it is done for no organization, so the person stands for one."""
    audit.record(Actor(person_id), verb, subject=subject or person_id, facts=facts)
