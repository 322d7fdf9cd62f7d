"""Commands: signing in at a server, signing out, and who one is there."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from marketplace.client import device, keeping, metadata, tokens
from marketplace.client.exchange import Exchange
from marketplace.client.keeping import Login, troubled
from marketplace.client.options import exchange_of, json_option, note, print_json, server_option
from marketplace.client.servers import origin_of
from marketplace.client.troubles import Denied, Unusable
from marketplace.client.wording import plain, say, told

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("server")
@click.option("--client-id", help="the API client that a program is; the one of the command line when absent")
@click.option(
    "--secret-file", type=_FILE, help="file with the client's secret (client_secret_basic); it is read each time"
)
@click.option("--key-file", type=_FILE, help="file with the client's private key, PEM or JWK (private_key_jwt)")
@click.option("--provide", is_flag=True, help="a person: for uploading and publishing, instead of buying and fetching")
@json_option
def login(
    server: str,
    client_id: str | None,
    secret_file: Path | None,
    key_file: Path | None,
    provide: bool,
    as_json: bool,
) -> None:
    """Sign in at an exchange: SERVER is its address.

    A person allows it in any browser by the code that is shown. A program proves itself with --client-id and the
    file of its secret or key; the file stays where it is, and nothing of it is copied.
    """
    origin = origin_of(server)
    if secret_file is None and key_file is None:
        kept = sign_in(origin, client_id, device.TO_PROVIDE if provide else device.WANTED, as_json=as_json)
    else:
        kept = _as_program(origin, client_id, secret_file, key_file)
    if as_json:
        print_json(_shown(kept))
    else:
        click.echo(_greeting(kept))


@click.command()
@server_option
@json_option
def logout(server: str | None, as_json: bool) -> None:
    """Sign out: end the login at the exchange, and delete what is kept of it here."""
    exchange = exchange_of(server)
    with keeping.locked(exchange.origin):
        kept = keeping.get(exchange.origin)
        keeping.forget(exchange.origin)  # before the server is asked: it may not answer
    tokens.end(exchange.wire, kept)
    if as_json:
        print_json({"server": exchange.origin, "signed_in": False})
    else:
        click.echo(say(f"{exchange.origin} からサインアウトしました。", f"Signed out of {exchange.origin}."))


@click.command()
@server_option
@json_option
def whoami(server: str | None, as_json: bool) -> None:
    """Say for which organization one is signed in, and for what."""
    exchange = exchange_of(server)
    organization = _organization(exchange)
    kept = keeping.get(exchange.origin)
    if as_json:
        print_json(_shown(kept) | {"organization": organization})
        return
    click.echo(_greeting(kept) if organization is None else f"{told(organization, 'name')} ({organization['id']})")
    click.echo(f"{say('サーバー', 'server')}: {exchange.origin}")
    click.echo(f"{say('クライアント', 'client')}: {plain(kept.client_id)}")
    click.echo(f"{say('許可', 'scopes')}: {plain(kept.scope)}")


def sign_in(
    origin: str, client_id: str | None = None, wanted: frozenset[str] = device.WANTED, *, as_json: bool = False
) -> Login:
    """Let a person sign in by a code, and keep the login."""
    exchange = Exchange(origin)
    server = metadata.of(exchange.wire)
    show = _show_as_json if as_json else _show
    named = client_id or server.known_client_id()
    return _kept(exchange, device.sign_in(exchange.wire, server, named, show, wanted))


def _as_program(origin: str, client_id: str | None, secret_file: Path | None, key_file: Path | None) -> Login:
    if client_id is None or (secret_file is not None and key_file is not None):
        raise Unusable(
            say(
                "プログラムには --client-id と、--secret-file か --key-file のどちらか一つが要ります。",
                "A program needs --client-id and one of --secret-file and --key-file.",
            )
        )
    _warn_if_readable(secret_file or key_file)
    exchange = Exchange(origin)
    asking = Login(
        origin,
        client_id,
        access_token="",
        access_until=0,
        secret_file=str(secret_file.absolute()) if secret_file else None,
        key_file=str(key_file.absolute()) if key_file else None,
    )
    return _kept(exchange, tokens.ask(exchange.wire, metadata.of(exchange.wire), asking))


def _kept(exchange: Exchange, fresh: Login) -> Login:
    """Keep a login with the organization that it is for, and make its server the one that commands mean."""
    with keeping.locked(exchange.origin):
        keeping.save(fresh)
    keeping.choose(exchange.origin)
    organization = _organization(exchange)
    if organization is None:
        return fresh
    with keeping.locked(exchange.origin):
        kept = replace(keeping.get(exchange.origin), organization_id=str(organization["id"]))
        keeping.save(kept)
    return kept


def _organization(exchange: Exchange) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = exchange.read("/v1/organizations/me")
    except Denied:
        return None  # a client need not be allowed to read its organization
    return found


def _show(codes: dict[str, Any]) -> None:
    address = plain(str(codes.get("verification_uri")))
    note(
        say(
            "ブラウザで次のアドレスを開いてください（別の端末でもかまいません）:",
            "Open this address in a browser, on any device:",
        )
    )
    note(f"\n    {address}\n")
    note(say("次のコードを入力してください:", "and type this code:"))
    note(f"\n    {plain(str(codes.get('user_code')))}\n")
    note(
        say("許可を待っています。やめるには Ctrl-C を押してください。", "Waiting until it is allowed; Ctrl-C gives up.")
    )


def _show_as_json(codes: dict[str, Any]) -> None:
    print_json({name: codes.get(name) for name in ("verification_uri", "user_code", "expires_in")})


def _greeting(kept: Login) -> str:
    who = kept.organization_id or kept.client_id
    return say(f"{kept.origin} に {who} としてサインインしています。", f"Signed in at {kept.origin} as {who}.")


def _shown(kept: Login) -> dict[str, Any]:
    return {
        "server": kept.origin,
        "client_id": kept.client_id,
        "organization_id": kept.organization_id,
        "scope": kept.scope,
        "is_program": kept.is_program,
    }


def _warn_if_readable(file: Path | None) -> None:
    if file is None:
        return
    with troubled(file):
        mode = file.stat().st_mode
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        note(
            say(
                f"注意: {file} は他の利用者にも読めます（chmod 600）。",
                f"Note: others on this machine can read {file} (chmod 600).",
            )
        )


COMMANDS = (login, logout, whoami)
