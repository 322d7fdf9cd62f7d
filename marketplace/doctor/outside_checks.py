"""The deployment as a stranger sees it: TLS, header fields, metadata, host, cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from marketplace.api import headers
from marketplace.doctor.findings import Finding, Ward
from marketplace.kit.settings import LOOPBACK

TIMEOUT_SECONDS = 15
ELSEWHERE = "host-check.invalid"


class Unreachable(Exception):
    """The deployment does not answer; the message says how that showed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back; ``plain_leads_to`` is where plain HTTP leads, empty where it serves, None where none answers."""

    url: str
    base_url: str
    fields: Mapping[str, str]
    issuer: str | None
    plain_leads_to: str | None
    status_elsewhere: int
    cookies: tuple[str, ...]


def look(url: str, base_url: str) -> Seen:
    """Ask a running deployment as anybody may; raises Unreachable."""
    root = url.rstrip("/")
    try:
        health = _get(f"{root}/v1/health")
        return Seen(
            url=root,
            base_url=base_url,
            fields=health.headers,
            issuer=_issuer(_get(f"{root}/.well-known/oauth-authorization-server")),
            plain_leads_to=_plain(root),
            status_elsewhere=_get(f"{root}/v1/health", Host=ELSEWHERE).status_code,
            cookies=_cookies(_get(f"{root}/sign-in", Accept="text/html")),
        )
    except (requests.RequestException, ValueError) as error:
        raise Unreachable(type(error).__name__) from error


def issuer_is_base_url(seen: Seen) -> Finding | None:
    """See whether the address that clients are told is the one that tokens are made for."""
    if seen.issuer == seen.base_url == seen.url:
        return None
    return Finding(
        f"{seen.url} names the issuer {seen.issuer or 'nobody'}, and the settings {seen.base_url}.",
        "Set MARKETPLACE_BASE_URL to the public address, restart, and ask with --url and these very settings.",
        f"{seen.url}の発行者は{seen.issuer or 'なし'}、設定は{seen.base_url}です。",
        "MARKETPLACE_BASE_URLを公開アドレスにして再起動し、同じ設定で--urlを指定してください。",
    )


def headers_arrive(seen: Seen) -> Finding | None:
    """See whether the proxy lets our header fields through."""
    wanted = headers.of_every_answer(seen.url)
    missing = sorted(name for name, value in wanted.items() if seen.fields.get(name) != value)
    if not missing:
        return None
    names = ", ".join(missing)
    return Finding(
        f"These header fields do not arrive as they were sent: {names}.",
        "Have the proxy pass them on unchanged.",
        f"次のヘッダーが、送られたとおりに届きません：{names}。",
        "プロキシが変更せずに渡すようにしてください。",
    )


def plain_http_leads_to_tls(seen: Seen) -> Finding | None:
    """See whether plain HTTP leads to TLS, and serves nothing."""
    if not seen.url.startswith("https://") or seen.plain_leads_to is None:
        return None
    if seen.plain_leads_to.startswith(seen.url):
        return None
    return Finding(
        "Plain HTTP is answered with something other than a redirect to https.",
        "Have the proxy redirect port 80 to https, or close it.",
        "暗号化なしのHTTPが、httpsへの転送以外の応答をします。",
        "プロキシで80番ポートをhttpsへ転送するか、閉じてください。",
    )


def speaks_tls(seen: Seen) -> Finding | None:
    """See whether a deployment that others reach speaks TLS."""
    if seen.url.startswith("https://") or urlsplit(seen.url).hostname in LOOPBACK:
        return None
    return Finding(
        "The deployment is reached without TLS.",
        "Put a proxy with a certificate in front.",
        "TLSなしで公開されています。",
        "証明書を持つプロキシを前に置いてください。",
    )


def other_hosts_refused(seen: Seen) -> Finding | None:
    """See whether a request for another host is refused, by us or by the proxy."""
    if 300 <= seen.status_elsewhere < 500:
        return None
    return Finding(
        f"A request for the host {ELSEWHERE} is answered with {seen.status_elsewhere}.",
        "Have the proxy pass Host on as it came, and serve this site for its own name alone.",
        f"別のホスト名（{ELSEWHERE}）への要求に{seen.status_elsewhere}で応答します。",
        "プロキシがHostをそのまま渡し、自分の名前だけに応答するようにしてください。",
    )


def cookies_locked(seen: Seen) -> Finding | None:
    """See whether cookies are of this host alone, over TLS, out of the reach of scripts."""
    if not seen.url.startswith("https://"):
        return None
    loose = [cookie.partition("=")[0] for cookie in seen.cookies if not _is_locked(cookie)]
    if seen.cookies and not loose:
        return None
    return Finding(
        f"Cookies are not locked to this host: {', '.join(loose) or 'none was set at /sign-in'}.",
        "Set MARKETPLACE_BASE_URL to the https address, and have the proxy leave Set-Cookie alone.",
        f"Cookieがこのホストに限定されていません：{', '.join(loose) or '/sign-inで発行されません'}。",
        "MARKETPLACE_BASE_URLをhttpsのアドレスにし、プロキシがSet-Cookieを書き換えないようにしてください。",
    )


def server_untold(seen: Seen) -> Finding | None:
    """See whether the answers tell strangers which version of what is to be attacked."""
    told = " ".join(seen.fields.get(name, "") for name in ("Server", "X-Powered-By", "Via")).strip()
    if not any(sign.isdigit() for sign in told):
        return None
    return Finding(
        f"The answers tell versions: {told}.",
        "Switch that off in the proxy (server_tokens off in nginx).",
        f"応答から製品の版が分かります：{told}。",
        "プロキシの設定（nginxではserver_tokens off）で隠してください。",
        wrong=False,
    )


OUTSIDE: Ward[Seen] = Ward(
    (
        issuer_is_base_url, speaks_tls, plain_http_leads_to_tls, headers_arrive, other_hosts_refused, cookies_locked,
        server_untold,
    )
)  # fmt: skip


def unreachable(url: str, how: str) -> Finding:
    """Return the finding that nobody answers."""
    return Finding(
        f"{url} does not answer ({how}).",
        "Start the server and its proxy, and see that the name and the certificate are right.",
        f"{url}が応答しません（{how}）。",
        "サーバーとプロキシを起動し、名前と証明書が正しいか確かめてください。",
    )


def _get(url: str, **fields: str) -> requests.Response:
    return requests.get(url, headers=fields, timeout=TIMEOUT_SECONDS, allow_redirects=False)


def _issuer(answer: requests.Response) -> str | None:
    document: Any = answer.json() if answer.status_code == requests.codes.ok else {}
    return document.get("issuer") if isinstance(document, dict) else None


def _plain(root: str) -> str | None:
    try:
        return _get(f"http://{urlsplit(root).hostname}/v1/health").headers.get("Location", "")
    except requests.RequestException:
        return None


def _cookies(answer: requests.Response) -> tuple[str, ...]:
    return tuple(answer.raw.headers.getlist("Set-Cookie"))


def _is_locked(cookie: str) -> bool:
    name, *traits = (part.strip().lower() for part in cookie.split(";"))
    return name.startswith("__host-") and {"secure", "httponly", "path=/"} <= set(traits)
