"""What the client keeps between commands: one file of each server's login, mode 0600, replaced whole."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from marketplace.client.servers import origin_of
from marketplace.client.troubles import DiskTrouble, Unusable, not_signed_in
from marketplace.client.wording import say
from marketplace.kit import secret_files

SERVER_VARIABLE = "MUSUBI_SERVER"


@dataclass(frozen=True, slots=True)
class Login:
    """Who one is at a server: a person's tokens, or a program with the file of its secret or key."""

    origin: str
    client_id: str
    access_token: str = field(repr=False)
    access_until: float  # Unix time
    scope: str = ""
    refresh_token: str | None = field(default=None, repr=False)
    secret_file: str | None = None
    key_file: str | None = None
    organization_id: str | None = None
    bound_key: str | None = field(default=None, repr=False)  # a private JWK, where tokens are bound to it

    @property
    def is_program(self) -> bool:
        """Tell whether this is a program that proves itself, not a person who gave consent."""
        return self.secret_file is not None or self.key_file is not None


def home() -> Path:
    """Return the client's folder (XDG Base Directory Specification 0.8), made for its owner alone."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
    folder = base / "musubi"
    with troubled(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def find(origin: str) -> Login | None:
    """Return the login at a server, None where there is none or its file is damaged."""
    document = read(_login_file(origin))
    if document is None:
        return None
    known = {each.name for each in fields(Login)}
    try:
        return Login(**{name: value for name, value in document.items() if name in known})
    except TypeError:
        return None


def get(origin: str) -> Login:
    """Return the login at a server; raises NotSignedIn."""
    login = find(origin)
    if login is None:
        raise not_signed_in(origin)
    return login


def save(login: Login) -> None:
    """Keep a login in the place of the one before; who reads meanwhile finds the old one or the new one."""
    write(_login_file(login.origin), asdict(login))


def forget(origin: str) -> None:
    """Delete the login at a server."""
    with troubled(home()):
        _login_file(origin).unlink(missing_ok=True)
        if _default() == origin:
            _default_file().unlink(missing_ok=True)


@contextmanager
def locked(origin: str) -> Iterator[None]:
    """Let no other process renew this login meanwhile: a refresh token that is used twice ends them all."""
    file = _login_file(origin)
    with ExitStack() as held:
        with troubled(file):
            held.enter_context(secret_files.locked(file))
        yield


def choose(origin: str) -> None:
    """Make a server the one that commands mean when they name none."""
    write(_default_file(), {"origin": origin})


def server_of(given: str | None) -> str:
    """Return the server that a command means: the one named, that of the environment, the last signed in at."""
    named = given or os.environ.get(SERVER_VARIABLE)
    chosen = origin_of(named) if named else _default()
    if chosen is None:
        raise Unusable(
            say("どのサーバーか分かりません。", "Which server?"),
            say(
                "--server か環境変数 MUSUBI_SERVER で示すか、marketplace login SERVER でサインインしてください。",
                "Name it with --server or MUSUBI_SERVER, or sign in: marketplace login SERVER",
            ),
        )
    return chosen


def read(file: Path) -> dict[str, Any] | None:
    """Return a kept document, None where there is none or it is damaged."""
    with troubled(file):
        try:
            document = json.loads(file.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
    return document if isinstance(document, dict) else None


def write(file: Path, document: dict[str, Any]) -> None:
    """Keep a document, durable and for its owner's eyes alone."""
    with troubled(file):
        secret_files.replace(file, json.dumps(document, ensure_ascii=False).encode())


@contextmanager
def troubled(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into DiskTrouble."""
    try:
        yield
    except OSError as error:
        raise DiskTrouble(
            say(f"{path} を読み書きできません（{error.strerror}）。", f"{path} cannot be used: {error.strerror}.")
        ) from error


def _login_file(origin: str) -> Path:
    return home() / f"{quote(origin, safe='')}.login.json"


def _default_file() -> Path:
    return home() / "server.json"


def _default() -> str | None:
    origin = (read(_default_file()) or {}).get("origin")
    return origin if isinstance(origin, str) else None
