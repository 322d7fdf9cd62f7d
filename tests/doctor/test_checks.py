"""Every check of the doctor, on what is good and on what is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from marketplace.api import headers
from marketplace.doctor import database_checks, exchange_checks, machine_checks, outside_checks, settings_checks
from marketplace.doctor.database_checks import DATABASE, Database
from marketplace.doctor.exchange_checks import EXCHANGE, Exchange
from marketplace.doctor.findings import Finding, Ward, name_of
from marketplace.doctor.machine_checks import MACHINE, Machine
from marketplace.doctor.outside_checks import OUTSIDE, Seen
from marketplace.doctor.settings_checks import SETTINGS
from marketplace.kit import clock
from marketplace.kit.engine_facts import EngineFacts
from marketplace.kit.settings import Settings

BASE = "https://exchange.example.jp"
GOOD_SETTINGS = Settings(
    base_url=BASE,
    production=True,
    payments_live=True,
    stripe_api_key="sk_live_1",
    stripe_webhook_secrets=("whsec_own",),
    smtp_url="smtps://mail.example.jp",
    mail_from="Exchange <office@example.jp>",
    trusted_proxies=("127.0.0.1",),
    database_url="postgresql://db/musubi",
)
GOOD_MACHINE = Machine(
    settings=GOOD_SETTINGS,
    store_writable=True,
    free_bytes=2**40,
    signing_key_mode=0o600,
    signing_key_age=timedelta(days=3),
    installation_key_mode=0o600,
    japan_offset=timedelta(hours=9),
)
GOOD_DATABASE = Database(
    GOOD_SETTINGS,
    EngineFacts(
        version=180_000,
        fsync=True,
        full_pages=True,
        waits_for_disk=True,
        isolation="read committed",
        encoding="UTF8",
        connections=97,
        superuser=False,
        owner=False,
        ahead_seconds=0.1,
        revision="0027",
        head="0027",
    ),
)
GOOD_EXCHANGE = Exchange(None, None, None, 0, 0, 0)
GOOD_SEEN = Seen(
    BASE, BASE, headers.of_every_answer(BASE), BASE, f"{BASE}/v1/health", 421,
    ("__Host-musubi-visitor=x; Secure; HttpOnly; Path=/; SameSite=Lax",),
)  # fmt: skip

_s, _m, _d, _e, _o = settings_checks, machine_checks, database_checks, exchange_checks, outside_checks
BAD_SETTINGS: list[tuple[Callable[[Any], Finding | None], dict[str, Any]]] = [
    (_s.production_declared, {"production": False}),
    (_s.listens_to_proxy_alone, {"host": "0.0.0.0"}),
    (_s.listens_to_proxy_alone, {"host": "10.0.0.7"}),
    (_s.proxies_named, {"trusted_proxies": ()}),
    (_s.mail_sent, {"smtp_url": None}),
    (_s.mail_has_a_sender, {"mail_from": "Musubi <no-reply@localhost>"}),
    (_s.webhooks_signed, {"stripe_webhook_secrets": ()}),
    (_s.payments_real, {"payments_live": False, "stripe_api_key": "sk_test_1"}),
    (_s.tokens_short_lived, {"token_ttl_seconds": 3600}),
]
EMBEDDED = replace(GOOD_SETTINGS, database_url=None)
BAD_MACHINES = [
    (_m.store_writable, {"store_writable": False}),
    (_m.bucket_answers, {"bucket_trouble": "403 Forbidden"}),
    (_m.room_left, {"free_bytes": 2**20}),
    (_m.largest_upload_fits, {"free_bytes": 2**33}),
    (_m.signing_key_secret, {"signing_key_mode": 0o640}),
    (_m.installation_key_secret, {"installation_key_mode": 0o604}),
    (_m.signing_key_fresh, {"signing_key_age": timedelta(days=400)}),
    (_m.installation_key_apart, {"settings": EMBEDDED}),
    (_m.installation_key_made, {"installation_key_mode": None}),
    (_m.time_zones_known, {"japan_offset": None}),
    (_m.time_zones_known, {"japan_offset": timedelta(0)}),
]
BAD_DATABASES = [
    (_d.version_supported, {"version": 140_011}),
    (_d.schema_newest, {"revision": "0026"}),
    (_d.schema_newest, {"revision": None}),
    (_d.keeps_what_it_said, {"fsync": False}),
    (_d.keeps_what_it_said, {"full_pages": False}),
    (_d.keeps_what_it_said, {"waits_for_disk": False}),
    (_d.isolation_expected, {"isolation": "serializable"}),
    (_d.speaks_unicode, {"encoding": "EUC_JP"}),
    (_d.connections_suffice, {"connections": 47}),
    (_d.role_is_no_superuser, {"superuser": True}),
    (_d.role_takes_nothing_back, {"owner": True}),
    (_d.clocks_agree, {"ahead_seconds": 3.0}),
    (_d.clocks_agree, {"ahead_seconds": -3.0}),
    (_d.jobs_worked_on, {"jobs_overdue_seconds": 4000}),
    (_d.jobs_succeed, {"jobs_failed": 2}),
]
BAD_EXCHANGES = [
    (_e.record_kept, {"unplaced_since": clock.now() - timedelta(minutes=6)}),
    (_e.record_signed, {"unsigned_because": "a tree of 9 was signed, and the record has 4 entries"}),
    (_e.record_witnessed, {"unwitnessed_since": clock.now() - timedelta(days=2)}),
    (_e.mail_delivered, {"mail_troubled": 1}),
    (_e.events_understood, {"events_parked": 1}),
    (_e.operators_have_a_second_factor, {"operators_with_one_factor": 1}),
]
LOOSE = "musubi-visitor=x; HttpOnly; Path=/"
BAD_VIEWS = [
    (_o.issuer_is_base_url, {"issuer": "https://other.example.jp"}),
    (_o.issuer_is_base_url, {"issuer": None}),
    (_o.issuer_is_base_url, {"base_url": "https://other.example.jp"}),
    (_o.speaks_tls, {"url": "http://exchange.example.jp"}),
    (_o.plain_http_leads_to_tls, {"plain_leads_to": ""}),
    (_o.plain_http_leads_to_tls, {"plain_leads_to": "http://exchange.example.jp/"}),
    (_o.headers_arrive, {"fields": {}}),
    (_o.headers_arrive, {"fields": headers.of_every_answer(BASE) | {"X-Content-Type-Options": "sniff"}}),
    (_o.other_hosts_refused, {"status_elsewhere": 200}),
    (_o.other_hosts_refused, {"status_elsewhere": 502}),
    (_o.cookies_locked, {"cookies": (LOOSE,)}),
    (_o.cookies_locked, {"cookies": ()}),
    (_o.cookies_locked, {"cookies": ("__Host-musubi-visitor=x; Path=/; Secure",)}),
    (_o.server_untold, {"fields": headers.of_every_answer(BASE) | {"Server": "nginx/1.24.0"}}),
]
WARDS: list[tuple[Ward[Any], Any]] = [
    (SETTINGS, GOOD_SETTINGS),
    (MACHINE, GOOD_MACHINE),
    (DATABASE, GOOD_DATABASE),
    (EXCHANGE, GOOD_EXCHANGE),
    (OUTSIDE, GOOD_SEEN),
]
BAD: list[tuple[Callable[[Any], Finding | None], Any]] = [
    *((check, replace(GOOD_SETTINGS, **changes)) for check, changes in BAD_SETTINGS),
    *((check, replace(GOOD_MACHINE, **changes)) for check, changes in BAD_MACHINES),
    *((check, replace(GOOD_DATABASE, said=replace(GOOD_DATABASE.said, **changes))) for check, changes in BAD_DATABASES),
    *((check, replace(GOOD_EXCHANGE, **changes)) for check, changes in BAD_EXCHANGES),
    *((check, replace(GOOD_SEEN, **changes)) for check, changes in BAD_VIEWS),
]


@pytest.mark.parametrize(("ward", "good"), WARDS, ids=["settings", "machine", "database", "exchange", "outside"])
def test_nothing_is_found_where_all_is_well(ward: Ward[Any], good: Any) -> None:
    assert list(ward.findings(good)) == []


@pytest.mark.parametrize(("check", "bad"), BAD, ids=[f"{number}-{name_of(one[0])}" for number, one in enumerate(BAD)])
def test_what_is_bad_is_found_with_its_cure_in_both_languages(check: Callable[[Any], Any], bad: Any) -> None:
    found = check(bad)
    assert found is not None
    for text in (*found.told("en"), *found.told("ja")):
        assert len(text) > 10
    assert all(text.isascii() is False for text in found.told("ja"))


def test_every_check_has_something_bad_to_find() -> None:
    every = {check for ward, _good in WARDS for check in ward.checks}
    assert every == {check for check, _bad in BAD}
    assert len({name_of(check) for check in every}) == len(every)


def test_an_exchange_of_ones_own_machine_needs_none_of_that() -> None:
    assert list(SETTINGS.findings(Settings())) == []


def test_the_embedded_database_has_no_other_role() -> None:
    said = replace(GOOD_DATABASE.said, superuser=True)
    assert _d.role_is_no_superuser(Database(EMBEDDED, said)) is None


def test_nobody_at_port_80_is_as_good_as_a_redirect() -> None:
    assert _o.plain_http_leads_to_tls(replace(GOOD_SEEN, plain_leads_to=None)) is None


def test_a_machine_is_examined_as_it_is(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path / "data")
    empty = machine_checks.examine(given)
    assert (empty.store_writable, empty.signing_key_mode, empty.installation_key_mode) == (False, None, None)
    given.store_dir.mkdir(parents=True)
    given.signing_key_path.parent.mkdir()
    given.signing_key_path.write_text("x")
    given.signing_key_path.chmod(0o644)
    seen = machine_checks.examine(given)
    assert (seen.store_writable, seen.signing_key_mode) == (True, 0o644)
    assert seen.signing_key_age is not None
    assert seen.signing_key_age < timedelta(days=1)
    assert (seen.japan_offset, seen.free_bytes > 0) == (timedelta(hours=9), True)


def test_a_machine_without_time_zones_is_told_from_one_with_them() -> None:
    def none(_name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError

    assert machine_checks._japan_offset(none) is None
