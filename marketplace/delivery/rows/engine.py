"""DuckDB, closed: no files, no network, no extensions, no settings that can still be changed."""

from typing import Any

# What a query holds besides DuckDB's own memory: Python, Arrow, and the page while it is written.
_OWN_SHARE = 2


_CLOSING = (
    "SET threads = 1",
    "SET enable_progress_bar = false",
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def connection(memory_bytes: int, tables: dict[str, Any]) -> Any:
    """Return a connection that sees these Arrow tables and nothing else, with its configuration locked.

    The lock comes last, and what stands before it needs its order: without access the folder for spilling is fixed.
    No path is ever allowed: ``allowed_directories`` would let a statement write there as well.
    """
    import duckdb

    opened = duckdb.connect(":memory:")
    for name, table in tables.items():
        opened.register(name, table)
    opened.execute(f"SET memory_limit = '{memory_bytes // _OWN_SHARE}B'")
    for statement in _CLOSING:
        opened.execute(statement)
    return opened
