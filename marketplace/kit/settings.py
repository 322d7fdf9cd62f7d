"""Settings: read once from the environment, checked, frozen. Each error says how to mend it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marketplace.kit import addresses, notes, variables
from marketplace.kit import setting_limits as limits

SANDBOX_KEY = "sk_test_sandbox"
SANDBOX_WEBHOOK_SECRET = "whsec_sandbox_of_this_exchange"  # noqa: S105 - production refuses it
POSTGRESQL_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")
INVOICE_DUE = re.compile(
    r"(?:month-end|day-(?P<day>[1-9]|1[0-9]|2[0-8]))\+(?P<months>[0-9]|1[0-2])|days\+(?P<days>[0-9]{1,3})"
)
UNIX_SOCKET = "unix"
LOOPBACK = addresses.LOOPBACK


class BadSetting(Exception):
    """A setting that cannot be used, with the way to mend it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between installations; see docs/settings.md."""

    base_url: str = "http://127.0.0.1:8000"
    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 16
    worker_class: str = "threads"
    download_passes: bool = True
    trusted_proxies: tuple[str, ...] = ()
    proxy_header: str = "X-Forwarded-For"
    data_dir: Path = Path("var")
    database_url: str | None = None
    production: bool = False
    open_registration: bool = True
    applications_pending_max: int = 1000
    run_worker: bool = True
    search_index: str = "shared"
    token_ttl_seconds: int = 300
    signing_key_file: Path | None = None
    installation_key_file: Path | None = None
    log_key_file: Path | None = None
    log_name: str | None = None
    log_witnesses: tuple[str, ...] = ()
    log_witnesses_min: int = 0
    log_witnesses_seconds: int = 86_400
    security_profile: str = "baseline"
    second_factor_required: bool = False
    smtp_url: str | None = None
    mail_from: str = "Musubi <no-reply@localhost>"
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None
    oidc_acr_map: tuple[str, ...] = ()
    corporate_numbers_key: str | None = None
    invoice_registrations_key: str | None = None
    trust_to_sell: str = "verified"
    upload_size_bytes_max: int = 20 * 2**30
    upload_kept_hours: int = 168
    harvest_lines_kept_days: int = 90
    provider_stored_bytes_max: int = 2**40
    provider_uploads_open_max: int = 200
    store: str = "local"
    s3_endpoint: str | None = None
    s3_region: str = "ap-northeast-1"
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = None
    s3_session_token: str | None = None
    s3_timeout_seconds: int = 20
    s3_retries_max: int = 3
    s3_cache_bytes_max: int = 50 * 2**30
    s3_delivery: str = "proxy"
    s3_link_seconds: int = 60
    s3_log_hours: int = 48
    usage_months_kept: int = 0
    documents_years_kept: int = 7
    incident_authority_email: str | None = None
    incident_preliminary_days: int = 3
    grant_requests_per_minute: int = 0
    preview_rows_max: int = 20
    inspection_cpu_seconds_max: int = 600
    unread_files: str = "medium"
    alike_rows_min: int = 3
    personal_data_offers: bool = False
    assessment_objection_days: int = 14
    review_days_max: int = 7
    profile_memory_bytes_max: int = 2**30
    profile_cpu_seconds_max: int = 120
    conversion_cpu_seconds_max: int = 600
    delta_sharing_url_seconds: int = 3600
    webhook_failures_max: int = 25
    row_page_rows_max: int = 10_000
    row_page_bytes_max: int = 32 * 2**20
    row_query_memory_bytes_max: int = 1536 * 2**20
    row_query_cpu_seconds_max: int = 20
    row_queries_max: int = 2
    commission_basis_points: int = 1000
    seller: str = "agent"
    hold_days: int = 7
    payout_minimum_yen: int = 10_000
    payout_approval_yen: int = 1_000_000
    two_person_overrides: bool = False
    watch_night_bytes: int = 10 * 2**30
    watch_dormant_days: int = 90
    transitional_credit: str = "2026-09-30:80,2027-09-30:70,2028-09-30:50,2029-09-30:30"
    invoice_due: str = "month-end+1"
    credit_limit_yen: int = 1_000_000
    overdue_grace_days: int = 14
    renewal_lead_days: int = 14
    renewal_grace_days: int = 14
    register_threshold: int = 5
    register_days: int = 10
    data_requests_open_max: int = 50
    saved_searches_max: int = 50
    pledges_shown_min: int = 3
    price_guidance_min: int = 5
    request_body_bytes_max: int = 2**20
    request_line_bytes_max: int = 8190
    header_fields_max: int = 64
    header_bytes_max: int = 8190
    form_fields_max: int = 100
    json_depth_max: int = 32
    stripe_api_key: str = SANDBOX_KEY
    stripe_api_base: str | None = None
    stripe_webhook_secrets: tuple[str, ...] = ()
    stripe_max_retries: int = 2
    stripe_timeout_seconds: int = 20
    stripe_connect: str = "off"
    konbini_days: int = 3
    bank_transfer_days: int = 14
    outside_days: int = 60
    payments_live: bool = False

    @property
    def is_open(self) -> bool:
        """Whether others than this machine may reach the exchange."""
        return self.production or not addresses.is_loopback(self.base_url) or self.host in {"0.0.0.0", "::"}  # noqa: S104 - looked for

    @property
    def sandbox(self) -> bool:
        """Whether payments go to the exchange's own Stripe-wire sandbox."""
        return self.stripe_api_key == SANDBOX_KEY and self.stripe_api_base is None

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Which secrets sign webhooks; the sandbox has one by itself, Stripe none: its events are asked for then."""
        return self.stripe_webhook_secrets or ((SANDBOX_WEBHOOK_SECRET,) if self.sandbox else ())

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the proxies before the exchange; whoever speaks through a Unix socket is named apart."""
        return tuple(ip_network(one) for one in self.trusted_proxies if one != UNIX_SOCKET)

    @property
    def gateway_base(self) -> str | None:
        """Where Stripe calls go: our sandbox, a stand-in, or None for Stripe itself."""
        return f"{self.base_url}/sandbox" if self.sandbox else self.stripe_api_base

    @property
    def transitional_credit_table(self) -> tuple[tuple[date, int], ...]:
        """Until which day buyers deduct which percentage of tax on purchases from unregistered sellers."""
        steps = [step.strip().split(":") for step in self.transitional_credit.split(",") if step.strip()]
        return tuple((date.fromisoformat(last), int(percent)) for last, percent in steps)

    @property
    def signing_key_path(self) -> Path:
        """Where the token signing key lies."""
        return self.signing_key_file or self.data_dir / "keys" / "oauth-es256.pem"

    @property
    def installation_key_path(self) -> Path:
        """Where the installation's own secret lies."""
        return self.installation_key_file or self.data_dir / "keys" / "installation.key"

    @property
    def log_key_path(self) -> Path:
        """Where the keys lie that sign the checkpoints of the record."""
        return self.log_key_file or self.data_dir / "keys" / "log-ed25519.pem"

    @property
    def log_origin(self) -> str:
        """The name of the record among transparency logs: where its tiles are served, without the scheme."""
        return self.log_name or f"{urlsplit(self.base_url).netloc}/audit"

    @property
    def log_signed_path(self) -> Path:
        """Where the last signed checkpoint lies beside the database, which a backup may take back: never with it."""
        return self.data_dir / "log" / "checkpoint"

    @property
    def store_dir(self) -> Path:
        """Where delivered bytes lie."""
        return self.data_dir / "store"

    @property
    def adopted_dir(self) -> Path:
        """Where the archives of adopted records lie."""
        return self.data_dir / "adopted"

    @property
    def bucket_cache_dir(self) -> Path:
        """Where bytes of a bucket pass; apart from the store, whose bytes are nowhere else."""
        return self.data_dir / "bucket-cache"

    @property
    def search_dir(self) -> Path:
        """Where the derived search index lies."""
        return self.data_dir / "search"


_current: Settings | None = None


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read and check all settings; raises BadSetting."""
    given = {
        field.name: _parse(variables.name_of(field.name), environment[variables.name_of(field.name)], field.type)
        for field in fields(Settings)
        if environment.get(variables.name_of(field.name), "") != ""
    }
    settings = Settings(**given)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse settings that contradict each other or are unsafe; raises BadSetting."""
    for obey in (
        _check_numbers, _check_base_url, _check_proxies, _check_choices, _check_database, _check_mail, _check_authority,
        _check_provider, _check_payments, _check_invoice_due, _check_transitional_credit, _check_witnesses,
    ):  # fmt: skip
        obey(settings)


def install(settings: Settings) -> None:
    """Make these the settings of this process."""
    global _current  # noqa: PLW0603 - read once, at the composition root
    _current = settings


def current() -> Settings:
    """Return the settings of this process; RuntimeError before the composition root ran."""
    if _current is None:
        raise RuntimeError("settings are not installed: start through marketplace.app")
    return _current


def _parse(variable: str, text: str, kind: Any) -> Any:
    try:
        return variables.read(text, kind)
    except ValueError as error:
        raise BadSetting(f"{variable}={text!r} is not usable ({error}): set {variables.expected(kind)}") from error


def _check_numbers(settings: Settings) -> None:
    for name in (*limits.POSITIVE, *limits.COUNTS):
        positive = name in limits.POSITIVE
        if getattr(settings, name) < positive:
            raise BadSetting(f"{variables.name_of(name)} must be {'above zero' if positive else 'zero or more'}")
    for name, (least, most, why) in limits.BOUNDED.items():
        if not least <= getattr(settings, name) <= most:
            raise BadSetting(f"{variables.name_of(name)} must be {least} to {most}{why}")


def _check_choices(settings: Settings) -> None:
    for name, (possible, told) in limits.CHOICES.items():
        if getattr(settings, name) not in possible:
            raise BadSetting(f"{variables.name_of(name)} must be {told}")
    if settings.search_index == "own" and settings.run_worker:
        raise BadSetting(
            "MARKETPLACE_SEARCH_INDEX=own is for machines without the worker: set MARKETPLACE_RUN_WORKER=false here,"
            " and run `marketplace worker` where the shared index lies"
        )


def _check_witnesses(settings: Settings) -> None:
    names: set[str] = set()
    for one in settings.log_witnesses:
        try:
            name = notes.read_witness(one)[1].name
        except notes.BadKey as error:
            raise BadSetting(f"MARKETPLACE_LOG_WITNESSES: {one!r} is no ADDRESS VKEY ({error})") from error
        if name in names:
            raise BadSetting(f"MARKETPLACE_LOG_WITNESSES must name {name} once, with the key it signs with now")
        names.add(name)
    if settings.log_witnesses_min > len(settings.log_witnesses):
        raise BadSetting("MARKETPLACE_LOG_WITNESSES_MIN must not be above the number of MARKETPLACE_LOG_WITNESSES")


def _check_proxies(settings: Settings) -> None:
    try:
        widest = min((network.prefixlen for network in settings.proxy_networks), default=1)
    except ValueError as error:
        raise BadSetting(
            f"MARKETPLACE_TRUSTED_PROXIES must be addresses or networks of your proxies, such as 10.0.0.5 or"
            f" 10.0.0.0/24, or unix for a Unix socket ({error})"
        ) from error
    if widest == 0:
        raise BadSetting("MARKETPLACE_TRUSTED_PROXIES must not hold everybody: anybody could then choose an address")


def _check_mail(settings: Settings) -> None:
    if settings.smtp_url is not None and not re.fullmatch(r"smtps?://[^\s/]+/?", settings.smtp_url):
        raise BadSetting("MARKETPLACE_SMTP_URL must look like smtps://user:password@mail.example.jp:465")
    if not re.fullmatch(r"[^\r\n]*[^\s@<>]+@[^\s@<>]+>?", settings.mail_from):
        raise BadSetting("MARKETPLACE_MAIL_FROM must be an address, such as Exchange <no-reply@example.jp>")


def _check_authority(settings: Settings) -> None:
    authority = settings.incident_authority_email
    if authority is not None and not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", authority):
        raise BadSetting("MARKETPLACE_INCIDENT_AUTHORITY_EMAIL must be an address, such as privacy@city.example.jp")


def _check_provider(settings: Settings) -> None:
    issuer = settings.oidc_issuer
    if issuer is None:
        return
    if not settings.oidc_client_id or not settings.oidc_client_secret:
        raise BadSetting("MARKETPLACE_OIDC_ISSUER needs MARKETPLACE_OIDC_CLIENT_ID and _CLIENT_SECRET as well")
    if urlsplit(issuer).scheme != "https" and not addresses.is_loopback(issuer):
        raise BadSetting("MARKETPLACE_OIDC_ISSUER must be https unless it is a loopback address")
    if not all(re.fullmatch(r"[^\s=]+=aal[123]", entry) for entry in settings.oidc_acr_map):
        raise BadSetting("MARKETPLACE_OIDC_ACR_MAP must be pairs such as urn:example:mfa=aal2, comma-separated")


def _check_transitional_credit(settings: Settings) -> None:
    try:
        table = settings.transitional_credit_table
    except ValueError:
        table = ((date.max, -1),)
    if list(table) != sorted(set(table)) or not all(0 <= percent <= 100 for _last, percent in table):
        raise BadSetting(
            "MARKETPLACE_TRANSITIONAL_CREDIT must be last days and percentages in order,"
            " such as 2026-09-30:80,2027-09-30:70"
        )


def _check_invoice_due(settings: Settings) -> None:
    if not INVOICE_DUE.fullmatch(settings.invoice_due):
        raise BadSetting(
            "MARKETPLACE_INVOICE_DUE must be month-end+N (N months later, at the month's end), day-D+N (on day D, 1 to"
            " 28) or days+N: month-end+1 is the end of the month after the invoice (翌月末)"
        )


def _check_base_url(settings: Settings) -> None:
    if not addresses.is_origin(settings.base_url):
        raise BadSetting("MARKETPLACE_BASE_URL must look like https://exchange.example.jp, without a path or a final /")
    parts = urlsplit(settings.base_url)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise BadSetting("MARKETPLACE_BASE_URL must be https unless it is a loopback address")
    if parts.scheme == "http" and settings.production:
        raise BadSetting("production needs https: set MARKETPLACE_BASE_URL to the address that clients use")


def _check_database(settings: Settings) -> None:
    if settings.database_url and not settings.database_url.startswith(POSTGRESQL_SCHEMES):
        raise BadSetting("DATABASE_URL must begin with postgresql://: no other database is supported")
    if settings.production and settings.database_url and not addresses.is_guarded(settings.database_url):
        raise BadSetting(
            "DATABASE_URL must end with sslmode=verify-full (or require) in production where the database is on another"
            " machine: passwords and data would cross the network in clear"
        )


def _check_payments(settings: Settings) -> None:
    live_key = settings.stripe_api_key.startswith(("sk_live_", "rk_live_"))
    if live_key and not settings.payments_live:
        raise BadSetting("a live Stripe key needs PAYMENTS_LIVE=1 as well, so that no live charge happens by mistake")
    if settings.payments_live and not live_key:
        raise BadSetting("PAYMENTS_LIVE=1 needs a live key in STRIPE_API_KEY")
    if live_key and settings.stripe_api_base:
        raise BadSetting("STRIPE_API_BASE must be unset with a live key: a live key goes to Stripe alone")
    if not settings.sandbox and SANDBOX_WEBHOOK_SECRET in settings.webhook_secrets:
        raise BadSetting(
            "STRIPE_WEBHOOK_SECRETS holds the sandbox's secret, which everybody knows: set the endpoint's own"
            " secrets, or unset it where no webhook can reach the exchange"
        )
    if settings.production and settings.sandbox:
        raise BadSetting("production cannot take payments through the sandbox: set STRIPE_API_KEY, or unset production")
    if SANDBOX_WEBHOOK_SECRET in settings.webhook_secrets and not addresses.is_loopback(settings.base_url):
        raise BadSetting(
            "STRIPE_WEBHOOK_SECRETS must be set to a secret of your own where others can reach the exchange:"
            " whoever knows the sandbox's default could report payments that never were"
        )
