"""Reading parameters: typed, and none left unread."""

import re
from typing import Any
from urllib.parse import urlsplit

from marketplace.sandbox.wire import WireError

ITEMS_MAX = 100
METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500
URL_LENGTH_MAX = 5000
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")


class Reader:
    """One hash of parameters; what was never asked for is unknown to us and refused by ``finish``."""

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._known: set[str] = set()
        self._below: list[Reader] = []

    def name(self, key: str) -> str:
        """Return the parameter's name as it stands in the request."""
        return f"{self._path}[{key}]" if self._path else key

    def has(self, key: str) -> bool:
        """Tell whether the parameter was given."""
        self._known.add(key)
        return key in self._values

    def text(self, key: str, length_max: int = 5000) -> str | None:
        """Return a text, None when not given; refuses empty and overlong ones."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, str):
            raise WireError(f"Invalid string: {self.name(key)}", param=self.name(key))
        if not value:
            message = f"You passed an empty string for '{self.name(key)}'."
            raise WireError(message, code="parameter_invalid_empty", param=self.name(key))
        if len(value) > length_max:
            message = f"Invalid string: {self.name(key)}; must be at most {length_max} characters"
            raise WireError(message, param=self.name(key))
        return value

    def required(self, key: str, length_max: int = 5000) -> str:
        """Return a text that must be given."""
        value = self.text(key, length_max)
        if value is None:
            raise self.absent(key)
        return value

    def absent(self, key: str) -> WireError:
        """Return the refusal of a request without this parameter."""
        message = f"Missing required param: {self.name(key)}."
        return WireError(message, code="parameter_missing", param=self.name(key))

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
        """Return one of the texts that the sandbox plays."""
        value = self.text(key)
        if value is not None and value not in choices:
            raise WireError(f"Invalid {self.name(key)}: must be one of {', '.join(choices)}", param=self.name(key))
        return value or default

    def integer(self, key: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within bounds, None when not given; '2.5' and '1e3' are refused."""
        value = self.text(key)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            message = f"Invalid integer: {value[:50]}"
            raise WireError(message, code="parameter_invalid_integer", param=self.name(key))
        if not lowest <= int(value) <= highest:
            message = f"Invalid {self.name(key)}: must be between {lowest} and {highest}"
            raise WireError(message, code="parameter_invalid_integer", param=self.name(key))
        return int(value)

    def boolean(self, key: str) -> bool | None:
        """Return true or false, None when not given."""
        value = self.choice(key, ("true", "false"))
        return None if value is None else value == "true"

    def url(self, key: str) -> str | None:
        """Return an absolute http(s) URL without credentials, None when not given."""
        value = self.text(key, URL_LENGTH_MAX)
        if value is not None and not _is_url(value):
            raise WireError("Not a valid URL", code="url_invalid", param=self.name(key))
        return value

    def metadata(self, key: str = "metadata") -> dict[str, str]:
        """Return the caller's own keys and texts, within Stripe's bounds; an empty text unsets its key."""
        return {name: value for name, value in self.metadata_changes(key).items() if value}

    def metadata_changes(self, key: str = "metadata") -> dict[str, str]:
        """Return the same with the empty texts, which unset keys that were there before."""
        values = self._hash(key)
        if len(values) > METADATA_KEYS_MAX:
            raise WireError(f"Metadata can have up to {METADATA_KEYS_MAX} keys.", param=self.name(key))
        for name, value in values.items():
            if not isinstance(value, str):
                raise WireError("Metadata values must be strings.", param=self.name(key))
            if len(name) > METADATA_KEY_LENGTH_MAX or len(value) > METADATA_VALUE_LENGTH_MAX:
                message = "Metadata keys can have up to 40 characters, and values up to 500."
                raise WireError(message, param=self.name(key))
        return values

    def child(self, key: str) -> "Reader":
        """Return the reader of a hash inside, empty when not given."""
        return self._descend(self._hash(key), self.name(key))

    def children(self, key: str) -> list["Reader"]:
        """Return the readers of a list of hashes, in order."""
        items = self._list(key)
        for item in items:
            if not isinstance(item, dict):
                raise WireError(f"Invalid array: {self.name(key)}", param=self.name(key))
        return [self._descend(item, f"{self.name(key)}[{place}]") for place, item in enumerate(items)]

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, in order, empty when not given."""
        items = self._list(key)
        if not all(isinstance(item, str) for item in items):
            raise WireError(f"Invalid array: {self.name(key)}", param=self.name(key))
        return items

    def choices(self, key: str, choices: tuple[str, ...]) -> list[str]:
        """Return a list of texts that the sandbox knows, in order, empty when not given."""
        items = self.texts(key)
        for item in items:
            if item not in choices:
                raise WireError(f"Invalid {self.name(key)}: must be one of {', '.join(choices)}", param=self.name(key))
        return items

    def is_hash(self, key: str) -> bool:
        """Tell whether the parameter was given as a hash rather than as a text."""
        return isinstance(self._values.get(key), dict)

    def finish(self) -> None:
        """Refuse what nobody asked for: a parameter is never silently ignored."""
        for key in self._values:
            if key not in self._known:
                name = self.name(key)[:200]
                message = f"Received unknown parameter: {name} (the sandbox knows {', '.join(sorted(self._known))})"
                raise WireError(message, code="parameter_unknown", param=name)
        for below in self._below:
            below.finish()

    def _hash(self, key: str) -> dict[str, Any]:
        value = self._values[key] if self.has(key) else {}
        if not isinstance(value, dict):
            raise WireError(f"Invalid object: {self.name(key)}", param=self.name(key))
        return value

    def _list(self, key: str) -> list[Any]:
        values = self._hash(key)
        if len(values) > ITEMS_MAX or not all(re.fullmatch(r"[0-9]{1,4}", place) for place in values):
            raise WireError(f"Invalid array: {self.name(key)}", param=self.name(key))
        return [values[place] for place in sorted(values, key=int)]

    def _descend(self, values: dict[str, Any], path: str) -> "Reader":
        below = Reader(values, path)
        self._below.append(below)
        return below


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    printable = value.isprintable() and " " not in value
    return printable and parts.scheme in {"http", "https"} and bool(_HOST.fullmatch(parts.netloc))
