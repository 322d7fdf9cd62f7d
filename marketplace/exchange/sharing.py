"""Sharing: from a caller's grants to tables with versions, and from a signed permit to the bytes of one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby, pairwise
from pathlib import PurePosixPath
from typing import Any

from marketplace.access import queries as access
from marketplace.access import shares
from marketplace.access.rules import Entitlement
from marketplace.access.shares import SharedFile
from marketplace.catalog.models import Conversion
from marketplace.catalog.states import ConversionState
from marketplace.delivery.changes import CHANGE_TYPE
from marketplace.exchange import changes, download, facilities, tabular
from marketplace.exchange.download import Answer
from marketplace.exchange.errors import ChangesUnreadable, PermitUnknown, TableInTheMaking, TableUnreadable
from marketplace.identity import holders, judging
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction

MEDIA_TYPE = "application/vnd.apache.parquet"
RESERVED = frozenset({CHANGE_TYPE, "_commit_version", "_commit_timestamp"})


@dataclass(frozen=True, slots=True)
class Table:
    """A tabular file by its name, through the releases that a caller's grants open: its versions, oldest first."""

    dataset_id: str
    file_name: str
    versions: Sequence[SharedFile]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table as Parquet: what is entitled, and the names and types of its columns."""

    version: int
    published_at: datetime
    content: Entitlement
    columns: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What a version brought: all its rows where it is the first, else what it changed of the one ``before``.

    ``found.content`` is what is fetched; while that is not made, ``found`` has no columns.
    """

    found: Snapshot
    before: Snapshot | None


@dataclass(frozen=True, slots=True)
class FileAction:
    """The file of a version, which came into its table with the version ``at`` or left it then."""

    file: Snapshot
    at: Snapshot

    @property
    def is_added(self) -> bool:
        """Tell whether it came."""
        return self.file.version == self.at.version


@dataclass(frozen=True, slots=True)
class Permit:
    """What a signed address allows: one content of one grant, to whoever asked for it, until its time is over.

    With a version ``before``, the content is what was changed of that.
    """

    grant_id: str
    release_id: str
    file_name: str
    sha256: str
    organization_id: str
    client_id: str
    member_id: str | None
    assurance: str | None
    purpose: str | None = None
    before_grant_id: str | None = None
    before_release_id: str | None = None
    before_file_name: str | None = None


def list_datasets(actor: Actor, after: str, size: int) -> Sequence[str]:
    """Return datasets of which the actor's grants open a table now, in the order of their ids."""
    return shares.list_datasets(actor, after, size)


def list_tables(actor: Actor, dataset_id: str) -> list[Table]:
    """Return the tables of a dataset by file name, which case does not tell apart; raises NotFound where there is none.

    Where all grants for the dataset have ended, their owner is told why: raises what ``access.authorize`` raises.
    """
    files = shares.list_files(actor, dataset_id)
    if not files:
        raise NotFound
    opened = [file for file in files if file.is_open]
    if not opened:
        access.authorize(actor, files[-1].grant_id, files[-1].file_name, files[-1].release_id)
    by_name = sorted(opened, key=lambda file: file.file_name.casefold())
    groups = groupby(by_name, key=lambda file: file.file_name.casefold())
    return [_table(dataset_id, list(files_of_name)) for _name, files_of_name in groups]


def _table(dataset_id: str, files: list[SharedFile]) -> Table:
    # Of several grants that open a release, the one bought last is used: later rows replace earlier ones.
    versions = list({file.release_id: file for file in files}.values())
    return Table(dataset_id, versions[-1].file_name, versions)


def snapshot(actor: Actor, table: Table, version: int, headers: Mapping[str, str]) -> Snapshot:
    """Return one version of a table, after the grant check of every download, for the purpose that is declared.

    A table that was not converted yet is asked for, in the open transaction, which must be kept.
    Raises what ``access.authorize`` and ``download.for_purpose`` raise; TableInTheMaking and TableUnreadable come
    from ``ready``.
    """
    file = table.versions[version]
    entitled = access.authorize(actor, file.grant_id, file.file_name, file.release_id)
    entitled = download.for_purpose(entitled, headers)
    content, columns = _parquet(entitled)
    if not columns:
        tabular.ask(entitled.file_id, entitled.sha256)
    return Snapshot(version, file.published_at, content, columns)


def _parquet(entitled: Entitlement) -> tuple[Entitlement, list[dict[str, Any]]]:
    """Return the Parquet of an entitled table in its place, without columns where it is not ready."""
    return _made_of(entitled, tabular.find(entitled.sha256))


def _made_of(entitled: Entitlement, made: Conversion | None) -> tuple[Entitlement, list[dict[str, Any]]]:
    if made is None or made.sha256 is None or made.size_bytes is None:
        return entitled, []
    name = f"{PurePosixPath(entitled.file_name).stem}.parquet"
    content = replace(entitled, sha256=made.sha256, size_bytes=made.size_bytes, rows=made.rows, file_name=name)
    return replace(content, media_type=MEDIA_TYPE), made.columns or []


def ready(found: Snapshot) -> Snapshot:
    """Return a snapshot that can be read; raises TableInTheMaking or TableUnreadable for any other."""
    if found.columns:
        return found
    problem = _problem_of(found)
    if problem is not None:
        raise TableUnreadable(f"{TableUnreadable.cause} Version {found.version}: {problem}")
    raise TableInTheMaking


def _problem_of(found: Snapshot) -> str | None:
    made = tabular.find(found.content.sha256)
    if made is None or made.state != ConversionState.FAILED or made.problem is None:
        return None
    return str(made.problem["detail"])


def readable(versions: Sequence[Snapshot], start: int) -> list[Snapshot]:
    """Return versions that can be read; raises TableInTheMaking or TableUnreadable for any other from ``start`` on.

    One before that of which no table can be made is left out: nobody was ever given its file.
    """
    return [ready(one) for one in versions if one.version >= start or one.columns or _problem_of(one) is None]


def file_actions(versions: Sequence[Snapshot], start: int) -> list[FileAction]:
    """Return what each version from ``start`` on did to the files of its table: out with the last, in with its own.

    Versions of the same content did nothing.
    """
    found = [FileAction(one, one) for one in versions[:1] if one.version == start]
    for before, after in pairwise(versions):
        if before.content.sha256 != after.content.sha256:
            found += [FileAction(before, after), FileAction(after, after)]
    return found


def feed(versions: Sequence[Snapshot], start: int) -> list[Change]:
    """Return what each version from ``start`` on brought, compared with the one before it, which is the first given.

    Version 0 has none before it, and is given as it is. What was not compared yet is asked for, in the open
    transaction, which must be kept. Versions that changed nothing are left out. Raises ChangesUnreadable.
    """
    _check_columns(versions)
    found = [Change(versions[0], None)] if start == 0 else []
    for before, after in pairwise(versions):
        if before.content.sha256 != after.content.sha256:
            found.append(Change(_compared(before, after), before))
    return [one for one in found if one.found.content.rows or not one.found.columns]


def _check_columns(versions: Sequence[Snapshot]) -> None:
    for one in versions:
        if one.columns != versions[0].columns:
            raise ChangesUnreadable(f"The columns or their types changed with version {one.version}.")
    if RESERVED & {column["name"].casefold() for column in versions[0].columns}:
        raise ChangesUnreadable("The table has a column of a name that change feeds use themselves.")


def _compared(before: Snapshot, after: Snapshot) -> Snapshot:
    asked = after.content.dataset_id, before.content.sha256, after.content.sha256
    made = changes.find(*asked)
    if made is None:
        changes.ask(*asked)
    elif made.state == ConversionState.FAILED and made.problem is not None:
        raise ChangesUnreadable(f"Version {after.version}: {made.problem['detail']}")
    content, is_made = _made_of(after.content, made)
    return replace(after, content=content, columns=after.columns if is_made else [])


def permit_for(actor: Actor, table: Table, found: Snapshot, before: Snapshot | None = None) -> Permit:
    """Return what an address must state so that whoever has it fetches in the actor's name; raises PermitUnknown."""
    if actor.client_id is None:
        raise PermitUnknown
    content, file = found.content, table.versions[found.version]
    assurance = None if actor.assurance is None else actor.assurance.value
    return Permit(
        content.grant_id,
        content.release_id,
        file.file_name,
        content.sha256,
        actor.organization_id,
        actor.client_id,
        actor.member_id,
        assurance,
        content.purpose,
        *(_place(table, before) if before is not None else ()),
    )


def _place(table: Table, found: Snapshot) -> tuple[str, str, str]:
    return found.content.grant_id, found.content.release_id, table.versions[found.version].file_name


def bring(permit: Permit, method: str) -> None:
    """Have the bytes at hand before the transaction of the grant check, within which nobody outside is asked.

    To be called before ``open_delivery``, outside any transaction. Raises what that raises, and StoreUnavailable.
    """
    store = facilities.current().store
    if method != "GET" or not store.asks_outside:
        return
    with transaction():
        _granted(permit)
    store.bring_near(permit.sha256)


def open_delivery(permit: Permit, method: str, headers: Mapping[str, str]) -> Answer:
    """Answer a request under a permit as if its client had sent it with a token, now.

    Raises PermitUnknown, and what ``access.authorize`` and ``download.answer`` raise.
    """
    actor, content = _granted(permit)
    asked = download.declared(headers, permit.purpose)
    return download.answer(actor, content, method, asked, partial(facilities.current().store.open, content.sha256))


def _granted(permit: Permit) -> tuple[Actor, Entitlement]:
    actor = _holder_of(permit)
    entitled = access.authorize(actor, permit.grant_id, permit.file_name, permit.release_id)
    content, _columns = _parquet(entitled)
    if permit.before_grant_id and permit.before_file_name:
        first = access.authorize(actor, permit.before_grant_id, permit.before_file_name, permit.before_release_id)
        before, _columns = _parquet(first)
        content, _columns = _made_of(content, changes.find(content.dataset_id, before.sha256, content.sha256))
    if content.sha256 != permit.sha256:
        raise NotFound
    return actor, content


def _holder_of(permit: Permit) -> Actor:
    holder = holders.find_holder(permit.organization_id, permit.client_id, permit.member_id, permit.assurance)
    if holder is None:
        raise PermitUnknown
    actor = replace(holder, grant_ids=frozenset({permit.grant_id, permit.before_grant_id or permit.grant_id}))
    judging.require(actor, Permission.FILES_FETCH)
    return actor
