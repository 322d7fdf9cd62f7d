"""Database roles: who migrates owns everything, who serves can take back nothing that is kept, who audits only reads.

The roles carry rights and no password: people and servers get logins of their own, as members. What is kept is told by
the schema itself, so that there is no second list: no right to UPDATE or DELETE where a trigger refuses it always.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

VERSION = "alembic_version"
DATABASE_NAME_MAX = 57  # a name has 63 bytes in PostgreSQL, of which the longer ending takes six
_OF_ROWS, _DELETES, _UPDATES = 1, 8, 16  # bits of pg_trigger.tgtype
_OWNS = text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('alembic_version')")
_TABLES = text(f"""
SELECT c.relname, coalesce(bit_or(t.tgtype) FILTER (WHERE p.proname = 'refuse_change'), 0::int2)
  FROM pg_class c
  LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgqual IS NULL AND t.tgtype & {_OF_ROWS} > 0
  LEFT JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
 GROUP BY c.relname ORDER BY c.relname
""")  # noqa: S608 - a number of ours
# What the owner does on behalf of whoever serves: no right of its own would do.
_LENT = text("""
SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace
""")


class RolesRefused(Exception):
    """The roles cannot be made; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The two roles of a database, named after it: roles belong to the whole server."""

    serve: str
    audit: str


def establish(connection: Connection, readable: Collection[str]) -> Roles:
    """Make both roles where they are missing, and give them their rights anew; whoever audits reads ``readable``.

    Raises RolesRefused where the login does not own the database, or may not make roles.
    """
    if not connection.scalar(_OWNS):
        raise RolesRefused(
            "this login does not own the database's tables: run `marketplace migrate --roles` as their owner"
        )
    roles = named(connection)
    for role in (roles.serve, roles.audit):
        _make(connection, role)
    renew(connection, readable)
    return roles


def renew(connection: Connection, readable: Collection[str]) -> None:
    """Give those roles that are in use their rights anew, so also on what a new version of the schema brought."""
    roles = named(connection)
    if not connection.scalar(_OWNS):
        return
    if _exists(connection, roles.serve):
        _begin_anew(connection, roles.serve)
        _let_serve(connection, roles.serve)
    if _exists(connection, roles.audit):
        _begin_anew(connection, roles.audit)
        _let_audit(connection, roles.audit, readable)


def named(connection: Connection) -> Roles:
    """Return what the roles of this database are called."""
    database = str(connection.scalar(text("SELECT current_database()")))[:DATABASE_NAME_MAX]
    return Roles(f"{database}_serve", f"{database}_audit")


def _exists(connection: Connection, role: str) -> bool:
    known = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
    return bool(connection.scalar(known, {"role": role}))


def _make(connection: Connection, role: str) -> None:
    if _exists(connection, role):
        return
    statement = f"CREATE ROLE {_quoted(role)} NOLOGIN"
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except ProgrammingError as error:
        raise RolesRefused(f"this login may not make roles: have a superuser run {statement}, and try again") from error


def _begin_anew(connection: Connection, role: str) -> None:
    schema = connection.scalar(text("SELECT current_schema()"))
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA {_quoted(schema)} FROM {_quoted(role)}"))
    _grant(connection, f"USAGE ON SCHEMA {_quoted(schema)}", role)


def _let_serve(connection: Connection, role: str) -> None:
    schema = connection.scalar(text("SELECT current_schema()"))
    _grant(connection, f"USAGE ON ALL SEQUENCES IN SCHEMA {_quoted(schema)}", role)
    for function in connection.scalars(_LENT).all():
        _grant(connection, f"EXECUTE ON FUNCTION {function}", role)
    for table, refused in connection.execute(_TABLES).all():
        _grant(connection, f"{', '.join(_rights(table, refused))} ON {_quoted(table)}", role)


def _let_audit(connection: Connection, role: str, readable: Collection[str]) -> None:
    for table in sorted({*readable, VERSION}):
        _grant(connection, f"SELECT ON {_quoted(table)}", role)


def _rights(table: str, refused: int) -> list[str]:
    if table == VERSION:
        return ["SELECT"]
    kept = {"UPDATE": refused & _UPDATES, "DELETE": refused & _DELETES}
    return ["SELECT", "INSERT", *(right for right, is_refused in kept.items() if not is_refused)]


def _grant(connection: Connection, right: str, role: str) -> None:
    connection.execute(text(f"GRANT {right} TO {_quoted(role)}"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
