"""What a reader asks of a list: how many at once, and after which; read strictly."""

from collections.abc import Mapping

from marketplace.kit.errors import Invalid

SIZE_DEFAULT = 100
SIZE_MAX = 100
CURSOR_MAX = 500


def page(query: Mapping[str, str]) -> tuple[str | None, int]:
    """Return the cursor and the size of the page that is wanted; raises Invalid."""
    cursor, size = query.get("cursor") or None, query.get("size") or str(SIZE_DEFAULT)
    if cursor and len(cursor) > CURSOR_MAX:
        raise Invalid(errors=[{"pointer": "/cursor", "detail": f"at most {CURSOR_MAX} characters"}])
    if not (size.isascii() and size.isdecimal() and len(size) <= 3 and 1 <= int(size) <= SIZE_MAX):
        raise Invalid(errors=[{"pointer": "/size", "detail": f"must be 1 to {SIZE_MAX}"}])
    return cursor, int(size)
