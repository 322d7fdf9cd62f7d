"""Writing the record."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import orjson
from sqlalchemy import insert, text

from marketplace.audit import rules
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.kit import clock, transaction
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

_WRITE = insert(Entry)
_WRITTEN = "marketplace.deeds"
WRITTEN_MAX = 20
_WRITE_ALL = text("""
INSERT INTO audit_entry (id, occurred_at, organization_id, client_id, member_id, verb, subject, counterparty_id,
                         dataset_id, amount_minor, facts, canonical)
SELECT * FROM json_to_recordset(CAST(:entries AS json)) AS entry (
       id text, occurred_at timestamptz, organization_id text, client_id text, member_id text, verb text, subject text,
       counterparty_id text, dataset_id text, amount_minor bigint, facts jsonb, canonical text)
""")


class Signatory(Protocol):
    """Whoever answers for a deed."""

    @property
    def organization_id(self) -> str:
        """The organization that acts."""
        ...

    @property
    def client_id(self) -> str | None:
        """The API client through which it acts."""
        ...

    @property
    def member_id(self) -> str | None:
        """The person who acts for it, by id alone."""
        ...

    @property
    def delegate_id(self) -> str | None:
        """The organization that acts in its name, if it is another."""
        ...


def record(
    actor: Signatory,
    verb: Verb,
    *,
    subject: str,
    counterparty: str | None = None,
    dataset: str | None = None,
    amount_minor: int | None = None,
    facts: dict[str, Any] | None = None,
) -> str:
    """Write one deed into the open transaction and return the entry's id.

    A deed whose entry cannot be written does not happen, since both share the transaction. ``facts``
    is JSON without personal data and without secrets; big integers go in as text.
    """
    columns = entry_of(
        actor,
        verb,
        subject=subject,
        counterparty=counterparty,
        dataset=dataset,
        amount_minor=amount_minor,
        facts=facts,
    )
    # Past the ORM, which would look at every column of every entry: half of all deeds is this statement.
    db.session.connection().execute(_WRITE, columns)
    if transaction.is_open():
        transaction.after_commit(partial(_note_written, columns["id"]))
    return str(columns["id"])


def written() -> list[str]:
    """Return the first entries that ``record`` wrote in stories of this session, in their order, once they are kept."""
    return list(_written())


def _note_written(entry_id: str) -> None:
    if len(_written()) < WRITTEN_MAX:
        _written().append(entry_id)


def _written() -> list[str]:
    found: list[str] = db.session.info.setdefault(_WRITTEN, [])
    return found


def record_all(entries: Sequence[dict[str, Any]]) -> None:
    """Write many deeds, each as ``entry_of`` made it, into the open transaction in one statement."""
    db.session.connection().execute(_WRITE_ALL, {"entries": orjson.dumps(entries).decode()})


def entry_of(
    actor: Signatory,
    verb: Verb,
    *,
    subject: str,
    counterparty: str | None = None,
    dataset: str | None = None,
    amount_minor: int | None = None,
    facts: dict[str, Any] | None = None,
    occurred_at: datetime | None = None,
) -> dict[str, Any]:
    """Return the columns of an entry, for a deed that writes it in the same statement as itself.

    ``occurred_at`` is there where it was done before it is written.
    """
    columns = {
        "id": new_id("aud"),
        "occurred_at": occurred_at or clock.now(),
        "organization_id": actor.organization_id,
        "client_id": actor.client_id,
        "member_id": actor.member_id,
        "verb": verb.value,
        "subject": subject,
        # A delegate is found as a party to what it does in another's name, where nobody else is.
        "counterparty_id": counterparty or actor.delegate_id,
        "dataset_id": dataset,
        "amount_minor": amount_minor,
        "facts": (facts or {}) | ({"delegate": actor.delegate_id} if actor.delegate_id else {}),
    }
    return columns | {"canonical": rules.canonical_entry(columns)}
