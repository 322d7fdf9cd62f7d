"""Passwords that others would guess are refused, and none is kept that can be read."""

import threading

import pytest
from flask import Flask

from marketplace.identity.login import passwords
from marketplace.identity.login.errors import PasswordRefused
from marketplace.identity.login.passwords import Gate
from marketplace.identity.login.rules import safe_path
from marketplace.kit.errors import Unavailable

WHO = ("高橋 美咲", "misaki.takahashi@example.jp")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("sevench", "at least 8"),
        ("", "at least 8"),
        ("x1" * 65, "at most 128"),
        ("password", "tried first"),
        ("PassWord1", "tried first"),
        ("ｐａｓｓｗｏｒｄ", "tried first"),
        ("iloveyou", "tried first"),
        ("ababababab", "repeat"),
        ("misaki.takahashi@example.jp", "your name"),
        ("Misaki-Takahashi", "your name"),
        ("Musubi-2026!", "word of this exchange"),
        ("データ取引所2026", "word of this exchange"),
        ("１２ｏｐｅｒａｔｏｒ", "word of this exchange"),
    ],
)
def test_a_password_that_others_would_guess_is_refused(password: str, why: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        passwords.checked(password, WHO)
    assert why in refused.value.errors[0]["detail"]


@pytest.mark.parametrize(
    "password",
    [
        "zqxvwkjp",
        "musubi to horses",
        "all small letters",
        "正しい馬の電池のホチキス",
        "x1y2" * 32,
        " spaces around ",
        "🐎🔋🐎🔋🖇️🖇️🖇️🖇️",
    ],
)
def test_no_rules_of_composition(password: str) -> None:
    assert passwords.checked(password, WHO)


def test_a_name_as_a_password_is_refused_however_it_is_spaced() -> None:
    with pytest.raises(PasswordRefused):
        passwords.checked("John Smithson", ("johnsmithson", "j@example.jp"))


def test_full_width_and_half_width_are_one_password(app: Flask) -> None:
    kept = passwords.hash_of(passwords.checked("ｃｏｒｒｅｃｔ ｈｏｒｓｅ", WHO))
    assert passwords.matches("correct horse", kept)


def test_a_password_is_kept_as_argon2id_with_64_mib(app: Flask) -> None:
    kept = passwords.hash_of("correct horse")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.matches("correct horse", kept)
    assert not passwords.matches("correct horsf", kept)
    assert not passwords.is_outdated(kept)


@pytest.mark.parametrize("password", ["", "\0", "\ud800", "x" * 100_000])
def test_whatever_is_typed_is_compared_without_an_error(app: Flask, password: str) -> None:
    assert not passwords.matches(password, passwords.hash_of("correct horse"))


def test_nobody_has_no_password(app: Flask) -> None:
    assert not passwords.matches("the password of nobody", None)
    assert not passwords.matches("", None)
    assert not passwords.matches("x", "not a hash")


def test_two_are_hashed_at_once_and_a_storm_is_turned_away() -> None:
    gate, inside, go = Gate(2), threading.Semaphore(0), threading.Event()
    outcomes: list[str] = []

    def work() -> None:
        with gate.passed(waiting_max=1):
            inside.release()
            go.wait()
            outcomes.append("hashed")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert inside.acquire(timeout=180)
    third = threading.Thread(target=work)
    third.start()
    while gate._inside < 3:
        pass
    assert not inside.acquire(blocking=False)
    with pytest.raises(Unavailable) as refused, gate.passed(waiting_max=1):
        outcomes.append("never")
    assert refused.value.members["retry_after_seconds"] > 0
    go.set()
    for thread in (*threads, third):
        thread.join()
    assert outcomes == ["hashed"] * 3
    with gate.passed(waiting_max=0):
        outcomes.append("again")
    assert outcomes[-1] == "again"


@pytest.mark.parametrize("path", ["/", "/consent?request=arq_1&x=%2F", "/device"])
def test_a_path_of_this_site_is_gone_on_to(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "javascript:alert(1)", "", "evil",
     "/a\r\nLocation: x", "/\t/evil", "/é", "/" + "x" * 5000],
)  # fmt: skip
def test_whatever_could_lead_elsewhere_leads_home(path: str) -> None:
    assert safe_path(path) == "/"
