"""The private PostgreSQL server that starts when no DATABASE_URL is given."""

from pathlib import Path
from urllib.parse import quote

from marketplace.kit.embedded import Server

_servers: dict[Path, Server] = {}


def database_url(data_dir: Path, name: str = "marketplace") -> str:
    """Start (or join) the embedded server under ``data_dir`` and return the URL of a database in it.

    The server stops with the last process that holds it. It listens on a Unix socket only. Raises BadSetting.
    """
    directory = data_dir.resolve() / "postgresql"
    if directory not in _servers:
        server = Server(directory)
        server.start()
        _servers[directory] = server
    address = f"postgresql://postgres@/{{}}?host={quote(str(_servers[directory].socket_dir))}"
    _create_database(address.format("postgres"), name)
    return sqlalchemy_url(address.format(name))


def stop(data_dir: Path) -> None:
    """Let go of the embedded server; it stops when nobody else holds it."""
    server = _servers.pop(data_dir.resolve() / "postgresql", None)
    if server is not None:
        server.stop()


def sqlalchemy_url(uri: str) -> str:
    """Name the driver in a ``postgresql://`` address, as SQLAlchemy wants it."""
    for scheme in ("postgresql://", "postgres://"):
        if uri.startswith(scheme):
            return "postgresql+psycopg://" + uri.removeprefix(scheme)
    return uri


def libpq_url(url: str) -> str:
    """Return the address as libpq and psycopg want it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _create_database(uri: str, name: str) -> None:
    import psycopg
    from psycopg import errors, sql

    with psycopg.connect(uri, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return
