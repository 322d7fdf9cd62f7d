"""Settings: every variable is read, every refusal names its variable and the way to mend it."""

from dataclasses import fields
from pathlib import Path

import pytest

from marketplace.app import create_app, prepare
from marketplace.kit import settings, variables
from marketplace.kit.settings import SANDBOX_KEY, SANDBOX_WEBHOOK_SECRET, BadSetting, Settings, from_environment
from tests.conftest import MakeSettings

LIVE = {
    "STRIPE_API_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRETS": "whsec_own",
    "PAYMENTS_LIVE": "1",
    "MARKETPLACE_BASE_URL": "https://exchange.example.jp",
    "MARKETPLACE_PRODUCTION": "true",
}
GIVEN = {
    str(str): ("https://exchange.example.jp", "https://exchange.example.jp"),
    str(int): ("7", 7),
    str(bool): ("off", False),
    str(Path): ("data", Path("data")),
    str(str | None): ("postgresql://db/x", "postgresql://db/x"),
    str(Path | None): ("key.pem", Path("key.pem")),
    str(tuple[str, ...]): ("whsec_a, whsec_b,", ("whsec_a", "whsec_b")),
}
# Words of which only some are known.
CHOSEN = {
    "smtp_url": "smtps://user:p%40ss@mail.example.jp:465",
    "mail_from": "取引所 <office@example.jp>",
    "oidc_issuer": "https://login.example.jp",
    "incident_authority_email": "privacy@city.example.jp",
    "worker_class": "events",
    "security_profile": "fapi2",
    "search_index": "own",
    "unread_files": "note",
    "proxy_header": "Forwarded",
    "trust_to_sell": "qualified",
    "seller": "principal",
    "stripe_connect": "transfers",
    "invoice_due": "day-20+2",
    "transitional_credit": "2027-09-30:70,2028-09-30:50",
}
WITNESS = "https://witness.example.jp witness.example.jp+6bfc832c+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
OTHER_KEY = "https://other.example.jp witness.example.jp+baefd7df+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
READ = {
    "trusted_proxies": ("10.0.0.5, fd00::/64, unix", ("10.0.0.5", "fd00::/64", "unix")),
    "log_witnesses": (WITNESS, (WITNESS,)),
    "log_witnesses_min": ("1", 1),
    "incident_preliminary_days": ("4", 4),
}
OPEN = {"base_url", "stripe_api_key", "stripe_api_base"}
PROVIDER = {"MARKETPLACE_OIDC_CLIENT_ID": "musubi", "MARKETPLACE_OIDC_CLIENT_SECRET": "secret"}


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_field_is_set_by_its_variable(field) -> None:
    chosen = CHOSEN.get(field.name)
    text, value = (chosen, chosen) if chosen else READ.get(field.name, GIVEN[str(field.type)])
    more = {"STRIPE_WEBHOOK_SECRETS": "whsec_own"} if field.name in OPEN else {}
    more |= PROVIDER if field.name == "oidc_issuer" else {}
    more |= {"MARKETPLACE_LOG_WITNESSES": WITNESS} if field.name == "log_witnesses_min" else {}
    more |= {"MARKETPLACE_RUN_WORKER": "false"} if field.name == "search_index" else {}
    read = from_environment(more | {variables.name_of(field.name): text})
    assert getattr(read, field.name) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("TRUE", True), ("yes", True), ("on", True), ("0", False), ("no", False), ("False", False)],
)
def test_yes_and_no_are_said_in_many_words(text: str, value: bool) -> None:
    assert from_environment({"MARKETPLACE_RUN_WORKER": text}).run_worker is value


def test_an_empty_variable_counts_as_unset() -> None:
    assert from_environment({"DATABASE_URL": "", "MARKETPLACE_PORT": ""}) == Settings()


def test_live_payments_in_production_are_possible() -> None:
    read = from_environment(LIVE)
    assert (read.production, read.payments_live, read.sandbox, read.gateway_base) == (True, True, False, None)


@pytest.mark.parametrize(
    ("environment", "cure"),
    [
        ({"MARKETPLACE_PORT": "eighty"}, "MARKETPLACE_PORT='eighty' .* set a whole number"),
        ({"MARKETPLACE_PORT": "0"}, "MARKETPLACE_PORT must be above zero"),
        ({"MARKETPLACE_PORT": "65536"}, "MARKETPLACE_PORT must be 1 to 65535"),
        ({"MARKETPLACE_THREADS": "-1"}, "MARKETPLACE_THREADS must be above zero"),
        ({"MARKETPLACE_RUN_WORKER": "maybe"}, "set true or false"),
        ({"MARKETPLACE_TRUSTED_PROXIES": "proxy.example"}, "must be addresses or networks .* 10.0.0.0/24"),
        ({"MARKETPLACE_TRUSTED_PROXIES": "10.0.0.1/8"}, "must be addresses or networks"),
        ({"MARKETPLACE_TRUSTED_PROXIES": "10.0.0.5,0.0.0.0/0"}, "must not hold everybody"),
        ({"MARKETPLACE_PROXY_HEADER": "X-Real-IP"}, "must be X-Forwarded-For or Forwarded"),
        ({"MARKETPLACE_HEADER_BYTES_MAX": "8191"}, "must be 1 to 8190"),
        ({"MARKETPLACE_REQUEST_LINE_BYTES_MAX": "0"}, "must be 1 to 8190"),
        ({"MARKETPLACE_JSON_DEPTH_MAX": "0"}, "must be above zero"),
        ({"MARKETPLACE_PREVIEW_ROWS_MAX": "-1"}, "MARKETPLACE_PREVIEW_ROWS_MAX must be zero or more"),
        ({"STRIPE_MAX_RETRIES": "-1"}, "STRIPE_MAX_RETRIES must be zero or more"),
        ({"STRIPE_TIMEOUT": "0"}, "STRIPE_TIMEOUT must be above zero"),
        ({"MARKETPLACE_COMMISSION_BASIS_POINTS": "10000"}, "must be 0 to 9999"),
        ({"MARKETPLACE_COMMISSION_BASIS_POINTS": "-1"}, "must be 0 to 9999"),
        ({"MARKETPLACE_REGISTER_THRESHOLD": "2"}, "must be 3 to 1000"),
        ({"MARKETPLACE_REGISTER_DAYS": "0"}, "must be 1 to 90"),
        ({"MARKETPLACE_TOKEN_TTL_SECONDS": "3601"}, "must be 1 to 3600"),
        ({"MARKETPLACE_WORKER_CLASS": "gevent"}, "WORKER_CLASS must be threads"),
        ({"MARKETPLACE_SEARCH_INDEX": "none"}, "SEARCH_INDEX must be shared"),
        ({"MARKETPLACE_SEARCH_INDEX": "own"}, "set MARKETPLACE_RUN_WORKER=false"),
        ({"MARKETPLACE_TRUST_TO_SELL": "applied"}, "TRUST_TO_SELL must be verified, or qualified"),
        (
            {"MARKETPLACE_LOG_WITNESSES": f"{WITNESS},{OTHER_KEY}", "MARKETPLACE_LOG_WITNESSES_MIN": "2"},
            "MARKETPLACE_LOG_WITNESSES must name witness.example.jp once",
        ),
        ({"DATABASE_URL": "mysql://db/x"}, "must begin with postgresql://"),
        (LIVE | {"DATABASE_URL": "postgresql://db.example.jp/x"}, "DATABASE_URL must end with sslmode=verify-full"),
        (LIVE | {"DATABASE_URL": "postgresql://db.example.jp/x?sslmode=prefer"}, "must end with sslmode=verify-full"),
        (LIVE | {"DATABASE_URL": "postgresql://127.0.0.1/x?host=db.example.jp"}, "must end with sslmode=verify-full"),
        (LIVE | {"DATABASE_URL": "postgresql://127.0.0.1,db.example.jp/x"}, "must end with sslmode=verify-full"),
        ({"MARKETPLACE_SMTP_URL": "mail.example.jp"}, "MARKETPLACE_SMTP_URL must look like smtps://"),
        ({"MARKETPLACE_MAIL_FROM": "nobody"}, "MARKETPLACE_MAIL_FROM must be an address"),
        ({"MARKETPLACE_MAIL_FROM": "a@b.jp\r\nBcc: x@b.jp"}, "MARKETPLACE_MAIL_FROM must be an address"),
        ({"MARKETPLACE_OIDC_ISSUER": "https://login.example.jp"}, "needs MARKETPLACE_OIDC_CLIENT_ID"),
        (PROVIDER | {"MARKETPLACE_OIDC_ISSUER": "http://login.example.jp"}, "ISSUER must be https"),
        (
            PROVIDER | {"MARKETPLACE_OIDC_ISSUER": "https://login.example.jp", "MARKETPLACE_OIDC_ACR_MAP": "mfa=high"},
            "ACR_MAP must be pairs",
        ),
        ({"STRIPE_API_KEY": "sk_live_1"}, "needs PAYMENTS_LIVE=1"),
        ({"PAYMENTS_LIVE": "1"}, "needs a live key in STRIPE_API_KEY"),
        ({"STRIPE_API_KEY": "sk_test_own", "STRIPE_WEBHOOK_SECRETS": SANDBOX_WEBHOOK_SECRET}, "or unset it"),
        (LIVE | {"STRIPE_API_BASE": "https://evil.example"}, "STRIPE_API_BASE must be unset"),
        (LIVE | {"MARKETPLACE_BASE_URL": "http://127.0.0.1:8000"}, "production needs https"),
        (LIVE | {"STRIPE_WEBHOOK_SECRETS": f"whsec_own,{SANDBOX_WEBHOOK_SECRET}"}, "endpoint's own secrets"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:9", "STRIPE_WEBHOOK_SECRETS": SANDBOX_WEBHOOK_SECRET}, "or unset it"),
        (
            {"MARKETPLACE_PRODUCTION": "1", "MARKETPLACE_BASE_URL": "https://exchange.example.jp"},
            "production cannot take payments through the sandbox: set STRIPE_API_KEY",
        ),
    ],
)
def test_a_refusal_names_the_variable_and_the_cure(environment: dict[str, str], cure: str) -> None:
    with pytest.raises(BadSetting, match=cure):
        from_environment(environment)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example.jp/x?sslmode=verify-full", "postgresql://db.example.jp/x?sslmode=require",
        "postgresql://127.0.0.1:5433/x", "postgresql:///x", "postgresql://%2Fvar%2Frun%2Fpostgresql/x",
        "postgresql:///x?host=/var/run/postgresql",
    ],
)  # fmt: skip
def test_production_reaches_a_database_within_the_machine_or_by_tls(url: str) -> None:
    assert from_environment(LIVE | {"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "exchange.example.jp", "ftp://exchange.example.jp", "https://", "https://exchange.example.jp/",
        "https://exchange.example.jp/x", "https://exchange.example.jp?x", "https://exchange.example.jp#x",
        "https://user:pw@exchange.example.jp", "https://exchange.example.jp:port", "https://[::1", "https://x:0",
        "http://exchange.example.jp", "http://127.0.0.1.example.jp",
    ],
)  # fmt: skip
def test_an_address_that_is_no_safe_origin_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="MARKETPLACE_BASE_URL must"):
        from_environment({"MARKETPLACE_BASE_URL": url})


def test_the_sandbox_secret_everybody_knows_stays_on_this_machine() -> None:
    open_to_all = {"MARKETPLACE_BASE_URL": "https://trial.example.jp"}
    with pytest.raises(BadSetting, match="secret of your own"):
        from_environment(open_to_all)
    assert from_environment(open_to_all | {"STRIPE_WEBHOOK_SECRETS": "whsec_of_this_trial"}).sandbox


@pytest.mark.parametrize("unset", [{}, {"STRIPE_WEBHOOK_SECRETS": ""}, {"STRIPE_WEBHOOK_SECRETS": " , "}])
@pytest.mark.parametrize(
    ("environment", "secrets"),
    [
        ({}, (SANDBOX_WEBHOOK_SECRET,)),
        ({"STRIPE_API_KEY": "sk_test_own"}, ()),
        ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, ()),
        (LIVE, ()),
    ],
)
def test_who_has_no_webhook_sets_no_secret_and_only_the_sandbox_signs_with_the_known_one(
    environment: dict[str, str], secrets: tuple[str, ...], unset: dict[str, str]
) -> None:
    without = {name: value for name, value in environment.items() if name != "STRIPE_WEBHOOK_SECRETS"}
    assert from_environment(without | unset).webhook_secrets == secrets


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost", "https://x.jp:8443"])
def test_loopback_and_https_origins_are_taken(url: str) -> None:
    own = {"STRIPE_WEBHOOK_SECRETS": "whsec_own"}
    assert from_environment(own | {"MARKETPLACE_BASE_URL": url}).base_url == url


def test_no_refusal_repeats_a_secret() -> None:
    with pytest.raises(BadSetting) as refusal:
        from_environment({"STRIPE_API_KEY": "sk_live_topsecret"})
    assert "topsecret" not in str(refusal.value)


def test_the_places_of_things_follow_the_data_folder() -> None:
    chosen = Settings(data_dir=Path("d"))
    assert chosen.store_dir == Path("d/store")
    assert chosen.search_dir == Path("d/search")
    assert chosen.signing_key_path == Path("d/keys/oauth-es256.pem")
    assert Settings(signing_key_file=Path("k.pem")).signing_key_path == Path("k.pem")


def test_payments_go_to_the_sandbox_to_a_stand_in_or_to_stripe() -> None:
    assert Settings().gateway_base == "http://127.0.0.1:8000/sandbox"
    assert Settings(stripe_api_base="http://127.0.0.1:9").gateway_base == "http://127.0.0.1:9"
    assert not Settings(stripe_api_key="sk_test_own").sandbox
    assert Settings().stripe_api_key == SANDBOX_KEY


def test_settings_are_not_there_before_the_composition_root_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_current", None)
    with pytest.raises(RuntimeError, match="start through"):
        settings.current()


def test_production_refuses_debug(monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(BadSetting, match="unset FLASK_DEBUG"):
        create_app(from_environment(LIVE | {"DATABASE_URL": "postgresql://127.0.0.1/x"}))


@pytest.mark.parametrize(
    "opened",
    [
        {"base_url": "https://exchange.example.jp", "stripe_webhook_secrets": ("whsec_own",)},
        {"host": "0.0.0.0"},
        {"host": "::"},
    ],
    ids=["a public address", "every interface", "every interface, IPv6"],
)
def test_w20_debug_mode_is_refused_wherever_others_reach_the_exchange(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, opened: dict[str, object]
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(BadSetting, match="unset FLASK_DEBUG"):
        create_app(make_settings("postgresql://127.0.0.1:1/nowhere", **opened))


@pytest.mark.parametrize("name", ["installation.key", "oauth-es256.pem"])
def test_w20_a_weak_or_broken_key_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    file = tmp_path / "keys" / name
    file.parent.mkdir()
    file.write_text("00" * 32)
    monkeypatch.setattr(settings, "_current", None)  # given back afterwards: starting installs its own
    with pytest.raises(BadSetting, match=name):
        prepare(Settings(data_dir=tmp_path))
    assert not (tmp_path / "postgresql").exists()
