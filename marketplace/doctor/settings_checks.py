"""What the settings say of a deployment that others reach; each check is harmless for one on the loopback."""

from urllib.parse import urlsplit

from marketplace.doctor.findings import Finding, Ward
from marketplace.kit.settings import LOOPBACK, UNIX_SOCKET, Settings

TOKEN_SECONDS_ADVISED = 900


def _is_open(given: Settings) -> bool:
    return urlsplit(given.base_url).hostname not in LOOPBACK


def production_declared(given: Settings) -> Finding | None:
    """See whether an exchange that others reach is declared as one, so that unsafe settings end its start."""
    if given.production or not _is_open(given):
        return None
    return Finding(
        "The exchange has a public address, but MARKETPLACE_PRODUCTION is not set.",
        "Set MARKETPLACE_PRODUCTION=true: unsafe settings then end the start.",
        "公開アドレスがあるのに、MARKETPLACE_PRODUCTIONが設定されていません。",
        "MARKETPLACE_PRODUCTION=trueを設定してください。安全でない設定では起動しなくなります。",
    )


def listens_to_proxy_alone(given: Settings) -> Finding | None:
    """See whether plain HTTP is spoken with the proxy alone."""
    if given.host in LOOPBACK or given.host.startswith("unix:"):
        return None
    return Finding(
        f"The server speaks plain HTTP on {given.host}: tokens and passwords can be read on the way.",
        "Set MARKETPLACE_HOST to 127.0.0.1 or unix:/path beside a proxy that speaks TLS, or close the network between.",
        f"サーバーは{given.host}で暗号化なしのHTTPを受け付けています。トークンやパスワードが読まれるおそれがあります。",
        "TLSを受け持つプロキシと同じ機械で、MARKETPLACE_HOSTを127.0.0.1かunix:/パスにするか、プロキシとの網を閉じてください。",
        wrong=given.host in {"0.0.0.0", "::"},  # noqa: S104 - looked for, not listened on
    )


def proxies_named(given: Settings) -> Finding | None:
    """See whether a guesser behind the proxy can be told from all others."""
    if given.trusted_proxies or not given.base_url.startswith("https://"):
        return None
    return Finding(
        "TLS ends at a proxy that MARKETPLACE_TRUSTED_PROXIES does not name: all visitors count as one address, and"
        " one who guesses passwords slows down all.",
        f"Name the proxy's address there ({UNIX_SOCKET} for a Unix socket), and let it set X-Forwarded-For.",
        "TLSを終端するプロキシがMARKETPLACE_TRUSTED_PROXIESにないため、全員が同じアドレスとして扱われ、"
        "推測を試みる一人が全員の妨げになります。",
        f"プロキシのアドレスを設定し（Unixソケットは{UNIX_SOCKET}）、X-Forwarded-Forを付けさせてください。",
    )


def mail_sent(given: Settings) -> Finding | None:
    """See whether invitations and links for new passwords are mailed."""
    if given.smtp_url or not _is_open(given):
        return None
    return Finding(
        "No mail server is set: invitations and links for forgotten passwords wait on this machine.",
        "Set MARKETPLACE_SMTP_URL and MARKETPLACE_MAIL_FROM, or hand mail on from `marketplace mail list`.",
        "メールサーバーの設定がなく、招待やパスワード再設定のリンクが送られません。",
        "MARKETPLACE_SMTP_URLとMARKETPLACE_MAIL_FROMを設定するか、marketplace mail listの内容を手で届けてください。",
        wrong=given.production,
    )


def mail_has_a_sender(given: Settings) -> Finding | None:
    """See whether mail comes from an address that can be."""
    if given.smtp_url is None or "@localhost" not in given.mail_from:
        return None
    return Finding(
        "Mail is sent from an address at localhost, which mail servers refuse.",
        "Set MARKETPLACE_MAIL_FROM to an address of your own domain.",
        "送信元がlocalhostのアドレスのため、受信側に拒否されます。",
        "MARKETPLACE_MAIL_FROMに自分のドメインのアドレスを設定してください。",
    )


def webhooks_signed(given: Settings) -> Finding | None:
    """See whether webhooks are taken, or Stripe has to be asked for its events."""
    if given.sandbox or given.webhook_secrets:
        return None
    return Finding(
        "No webhook secret is set: payments are noticed when Stripe is asked, up to a minute later.",
        "Add an event destination at Stripe and set STRIPE_WEBHOOK_SECRETS, unless Stripe cannot reach this exchange.",
        "Webhookの署名鍵がないため、入金の把握が最大1分遅れます。",
        "Stripeに送信先を登録し、STRIPE_WEBHOOK_SECRETSを設定してください（Stripeから届かない環境を除く）。",
        wrong=False,
    )


def payments_real(given: Settings) -> Finding | None:
    """See whether money moves in production."""
    if not given.production or given.payments_live:
        return None
    return Finding(
        "This is production with a test key of Stripe: no money moves.",
        "Set the live key in STRIPE_API_KEY, and PAYMENTS_LIVE=1, once you mean to sell.",
        "本番ですがStripeのテスト鍵が使われており、お金は動きません。",
        "販売を始めるときに、STRIPE_API_KEYに本番鍵を、PAYMENTS_LIVE=1を設定してください。",
        wrong=False,
    )


def tokens_short_lived(given: Settings) -> Finding | None:
    """See whether a stolen token is soon of no use."""
    if given.token_ttl_seconds <= TOKEN_SECONDS_ADVISED:
        return None
    return Finding(
        f"Access tokens live for {given.token_ttl_seconds} seconds.",
        f"Set MARKETPLACE_TOKEN_TTL_SECONDS to {TOKEN_SECONDS_ADVISED} or less: clients get new ones by themselves.",
        f"アクセストークンの有効期間が{given.token_ttl_seconds}秒です。",
        f"MARKETPLACE_TOKEN_TTL_SECONDSを{TOKEN_SECONDS_ADVISED}以下にしてください。クライアントは自動で取り直します。",
        wrong=False,
    )


SETTINGS: Ward[Settings] = Ward(
    (
        production_declared, listens_to_proxy_alone, proxies_named, mail_sent, mail_has_a_sender, webhooks_signed,
        payments_real, tokens_short_lived,
    )
)  # fmt: skip
