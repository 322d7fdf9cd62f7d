"""Which texts the database can hold: PostgreSQL refuses a whole query for one NUL or half a surrogate pair."""


def storable(text: str) -> str:
    """Return the text as it may be looked for; what no id and no name has is replaced, so that it matches none."""
    return text.encode("utf-8", "replace").decode().replace("\x00", " ")


def is_storable(*words: str | None) -> bool:
    """Whether a text column can hold, and a query ask for, all of the words."""
    return all(word is None or storable(word) == word for word in words)
