"""The addresses of the protocol under ``/delta-sharing``."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from marketplace.exchange import sharing
from marketplace.exchange.download import Answer
from marketplace.exchange.sharing import FileAction, Snapshot, Table
from marketplace.identity.permissions import Permission
from marketplace.kit import clock, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.protocols.delta_sharing import addresses, asking, names, refusals, wire
from marketplace.protocols.delta_sharing.endpoint import actor, guarded
from marketplace.protocols.delta_sharing.refusals import Malformed
from marketplace.protocols.delta_sharing.wire import Address

PREFIX = "/delta-sharing"
RESPOND = "marketplace.protocols.respond"
CAPABILITIES, TABLE_VERSION, FILE_ID_HASH = "delta-sharing-capabilities", "Delta-Table-Version", "fileidhash"
_TABLE = "/shares/<share>/schemas/<schema>/tables/<table>"
Respond = Callable[[Flask, Answer], Response]

blp = Blueprint("delta_sharing", __name__, url_prefix=PREFIX)
refusals.register(blp)


def attach(app: Flask, respond: Respond) -> None:
    """Give the application the protocol; ``respond`` hands the body of a metered delivery to the server."""
    app.extensions[RESPOND] = respond
    app.register_blueprint(blp)


@blp.get("/shares")
@guarded(Permission.FILES_FETCH)
def list_shares() -> Response:
    """List the datasets of which the caller's grants open a table."""
    size, after = asking.page(request.args)
    found = sharing.list_datasets(actor(), after, size + 1)
    return _listed(*asking.cut(found, size, after, str), _share)


@blp.get("/shares/<share>")
@guarded(Permission.FILES_FETCH)
def read_share(share: str) -> Response:
    """Read one share."""
    return _json({"share": _share(_tables(share)[0].dataset_id)})


@blp.get("/shares/<share>/schemas")
@guarded(Permission.FILES_FETCH)
def list_schemas(share: str) -> Response:
    """List the schemas of a share: there is one."""
    size, after = asking.page(request.args)
    dataset_id = _tables(share)[0].dataset_id
    schemas = asking.cut([names.SCHEMA], size, after, str)
    return _listed(*schemas, lambda schema: {"name": schema, "share": names.share_of(dataset_id)})


@blp.get("/shares/<share>/schemas/<schema>/tables")
@guarded(Permission.FILES_FETCH)
def list_tables(share: str, schema: str) -> Response:
    """List the tables of a schema."""
    _check_schema(schema)
    return list_all_tables(share)


@blp.get("/shares/<share>/all-tables")
@guarded(Permission.FILES_FETCH)
def list_all_tables(share: str) -> Response:
    """List the tables of a share."""
    size, after = asking.page(request.args)
    found = sorted(_tables(share), key=_key)
    return _listed(*asking.cut(found, size, after, _key), _shown)


@blp.route(_TABLE, methods=["HEAD"])
@blp.get(f"{_TABLE}/version")
@guarded(Permission.FILES_FETCH)
def version(share: str, schema: str, table: str) -> Response:
    """Tell the newest version of a table, or the first since an instant."""
    versions = _find(share, schema, table).versions
    since = request.args.get("startingTimestamp")
    number = len(versions) - 1 if since is None else asking.version_since(asking.instant(since), versions)
    return Response(status=200, headers={TABLE_VERSION: str(number)}, content_type=refusals.CONTENT_TYPE)


@blp.get(f"{_TABLE}/metadata")
@guarded(Permission.FILES_FETCH)
def metadata(share: str, schema: str, table: str) -> Response:
    """Describe a table: what reads it, its columns, its size."""
    wanted = asking.query(_metadata_query(), f"{share}.{schema}.{table}")
    can = asking.capabilities(request.headers.get(CAPABILITIES))
    _found, snapshot = _snapshot(share, schema, table, wanted)
    return _answer(_head(snapshot, table, can), snapshot, can)


@blp.post(f"{_TABLE}/query")
@guarded(Permission.FILES_FETCH)
def query(share: str, schema: str, table: str) -> Response:
    """Describe a version of a table, and say where its one file is fetched; or which files came and went since one."""
    named = f"{share}.{schema}.{table}"
    wanted = asking.query(_body(), named)
    can, hashing = asking.capabilities(request.headers.get(CAPABILITIES)), request.headers.get(FILE_ID_HASH)
    if wanted.since is not None:
        return _query_since(share, schema, table, wanted.since, wanted.size)
    found, snapshot = _snapshot(share, schema, table, wanted)
    address = _address(found, snapshot)
    actions = [*_head(snapshot, table, can), wire.file(snapshot, address, can.format, hashing)]
    if can.end or wanted.with_refresh_token or wanted.size:
        token = asking.refresh_token(snapshot.version, named) if wanted.with_refresh_token else None
        actions.append(wire.end(address, refreshToken=token))
    return _hashed(_answer(actions, snapshot, can), hashing)


def _query_since(share: str, schema: str, table: str, since: asking.Since, size: int | None) -> Response:
    can, hashing = asking.capabilities(request.headers.get(CAPABILITIES)), request.headers.get(FILE_ID_HASH)
    named = f"{share}.{schema}.{table}"
    with transaction():  # kept also where a table is yet to be made, since it is asked for here
        found = _find(share, schema, table)
        end, after = asking.since(since, named, found.versions)
        snapshots = _snapshots(found, since.start, end)
    read = sharing.readable(snapshots, since.start)
    told = [one for one in read if one.version >= since.start]
    done = sharing.file_actions(read, since.start)
    page = done[after:][:size]
    at = {one.file.version: _address(found, one.file) for one in page}
    actions = [*wire.head(table, told[0], can.format, told[1:]), *_file_actions(page, at, table, told[0], can, hashing)]
    if can.end or size:
        following = after + len(page)
        token = asking.page_token(since, named, end, following, found.versions) if following < len(done) else None
        actions.append(wire.end(next(iter(at.values()), None), nextPageToken=token))
    return _hashed(_answer(actions, told[0], can), hashing)


def _file_actions(
    page: Iterable[FileAction], at: Mapping[int, Address], table: str,
    first: Snapshot, can: asking.Capabilities, hashing: str | None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    for one in page:
        # Columns that changed are told before the files that have them.
        if not one.is_added and one.at.version > first.version and one.at.columns != one.file.columns:
            yield wire.metadata(table, one.at, can.format)
        yield wire.file_action(one, at[one.file.version], can.format, hashing)


@blp.get(f"{_TABLE}/changes")
@guarded(Permission.FILES_FETCH)
def changes(share: str, schema: str, table: str) -> Response:
    """Tell what changed from one version to the next: rows that came, went, or were changed."""
    can = asking.capabilities(request.headers.get(CAPABILITIES))
    hashing = request.headers.get(FILE_ID_HASH)
    with transaction():  # kept also where something is yet to be made, since it is asked for here
        found = _find(share, schema, table)
        start, end = asking.changes(request.args, found.versions)
        snapshots = _snapshots(found, start, end)
        feed = sharing.feed(snapshots, start) if all(one.columns for one in snapshots) else []
    read = [sharing.ready(one) for one in [*snapshots, *(change.found for change in feed)]]
    addressed = [(one, _address(found, one.found, one.before)) for one in feed]
    told = next(one for one in read if one.version == start)
    actions = [*_head(told, table, can), *(wire.change(one, at, can.format, hashing) for one, at in addressed)]
    if can.end:
        actions.append(wire.end(addressed[0][1] if addressed else None))
    return _hashed(_answer(actions, told, can), hashing)


@blp.get("/files/<sha256>.parquet")
@guarded(Permission.TICKETS_USE)
def fetch(sha256: str) -> Response:
    """Fetch a file under a signed address: charged like any download, however many requests a client makes of it."""
    permit = addresses.read(request.args.get(addresses.PARAMETER, ""), sha256)
    sharing.bring(permit, request.method)
    with transaction():
        answer = sharing.open_delivery(permit, request.method, dict(request.headers.items()))
    respond: Respond = current_app.extensions[RESPOND]
    response = respond(current_app, answer)
    # What was made for one caller stays out of caches; here no Authorization field says so.
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _tables(share: str) -> list[Table]:
    try:
        return sharing.list_tables(actor(), names.dataset_of(share))
    except NotFound as error:
        raise NotFound(f"[Share] '{share}' does not exist, please contact your share provider.") from error


def _find(share: str, schema: str, table: str) -> Table:
    _check_schema(schema)
    found = next((one for one in _tables(share) if _key(one) == table.casefold()), None)
    if found is None:
        raise NotFound(f"[Share/Schema/Table] '{share}/{schema}/{table}' does not exist.")
    return found


def _check_schema(schema: str) -> None:
    if schema.casefold() != names.SCHEMA:
        raise NotFound(f"[Schema] '{schema}' does not exist.")


def _key(table: Table) -> str:
    return names.table_of(table.file_name).casefold()


def _snapshot(share: str, schema: str, table: str, wanted: asking.Wanted) -> tuple[Table, Snapshot]:
    with transaction():  # kept also where the table is yet to be made, since it is asked for here
        found = _find(share, schema, table)
        version = asking.version_of(wanted, found.versions)
        snapshot = sharing.snapshot(actor(), found, version, dict(request.headers.items()))
    return found, sharing.ready(snapshot)


def _snapshots(table: Table, start: int, end: int) -> list[Snapshot]:
    """Return the versions from one to another, and before these the one that the first is compared with."""
    headers = dict(request.headers.items())
    return [sharing.snapshot(actor(), table, number, headers) for number in range(max(start - 1, 0), end + 1)]


def _address(table: Table, snapshot: Snapshot, before: Snapshot | None = None) -> Address:
    until = clock.now() + timedelta(seconds=settings.current().delta_sharing_url_seconds)
    signature = addresses.signed(sharing.permit_for(actor(), table, snapshot, before), until)
    path = f"{PREFIX}/files/{snapshot.content.sha256}.parquet?{addresses.PARAMETER}={signature}"
    return Address(f"{settings.current().base_url}{path}", until)


def _metadata_query() -> dict[str, Any]:
    number, timestamp = request.args.get("version"), request.args.get("timestamp")
    is_number = number is not None and number.isascii() and number.isdigit() and len(number) < 19
    return {"version": int(number) if is_number and number else number, "timestamp": timestamp}


def _body() -> dict[str, Any]:
    data = request.get_data()
    try:
        body = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    if not isinstance(body, dict):
        raise Malformed
    return body


def _share(dataset_id: str) -> dict[str, str]:
    return {"name": names.share_of(dataset_id), "id": dataset_id}


def _shown(table: Table) -> dict[str, str]:
    share = names.share_of(table.dataset_id)
    return {
        "name": names.table_of(table.file_name),
        "schema": names.SCHEMA,
        "share": share,
        "shareId": table.dataset_id,
    }


def _head(snapshot: Snapshot, table: str, can: asking.Capabilities) -> list[dict[str, Any]]:
    return wire.head(table, snapshot, can.format)


def _listed(items: Any, token: str | None, show: Callable[[Any], dict[str, str]]) -> Response:
    following = {} if token is None else {"nextPageToken": token}
    return _json({"items": [show(item) for item in items]} | following)


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), content_type=refusals.CONTENT_TYPE)


def _hashed(response: Response, hashing: str | None) -> Response:
    if hashing is not None:
        response.headers[FILE_ID_HASH] = hashing
    return response


def _answer(actions: list[dict[str, Any]], snapshot: Snapshot, can: asking.Capabilities) -> Response:
    response = Response("".join(map(wire.line, actions)), content_type=wire.NDJSON)
    response.headers[TABLE_VERSION] = str(snapshot.version)
    end = ";includeendstreamaction=true" if can.end else ""
    response.headers[CAPABILITIES] = f"responseformat={can.format}{end}"
    return response
