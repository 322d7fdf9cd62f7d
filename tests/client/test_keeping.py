"""What is kept between commands, and from whose eyes."""

import stat
from pathlib import Path

import pytest

from marketplace.client import keeping
from marketplace.client.keeping import Login
from marketplace.client.troubles import DiskTrouble, NotSignedIn, Unusable

ORIGIN = "https://exchange.example.jp"
LOGIN = Login(ORIGIN, "cli_1", access_token="a-secret", access_until=1.5, refresh_token="r-secret")


def test_a_login_is_kept_for_its_owner_alone(home: Path) -> None:
    keeping.save(LOGIN)
    assert keeping.find(ORIGIN) == LOGIN
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    [file] = home.glob("*.login.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_logins_of_two_servers_do_not_meet() -> None:
    other = Login("https://exchange.example.jp:8443", "cli_2", access_token="b", access_until=0)
    keeping.save(LOGIN)
    keeping.save(other)
    keeping.forget(other.origin)
    assert keeping.find(ORIGIN) == LOGIN
    with pytest.raises(NotSignedIn, match=r"marketplace login https://exchange.example.jp:8443"):
        keeping.get(other.origin)


def test_a_login_never_shows_its_secrets() -> None:
    assert not {"a-secret", "r-secret"} & set(repr(LOGIN).split("'"))
    assert "cli_1" in repr(LOGIN)


def test_a_login_of_a_later_version_is_read_and_a_damaged_one_is_none(home: Path) -> None:
    keeping.save(LOGIN)
    [file] = home.glob("*.login.json")
    file.write_text(file.read_text().replace("{", '{"of_tomorrow": 1, ', 1))
    assert keeping.find(ORIGIN) == LOGIN
    for damaged in ("", "[]", "{}", '{"origin": '):
        file.write_text(damaged)
        assert keeping.find(ORIGIN) is None


def test_the_server_is_the_named_the_one_of_the_environment_or_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable, match="Which server"):
        keeping.server_of(None)
    keeping.choose(ORIGIN)
    assert keeping.server_of(None) == ORIGIN
    monkeypatch.setenv("MUSUBI_SERVER", "other.example.jp")
    assert keeping.server_of(None) == "https://other.example.jp"
    assert keeping.server_of("third.example.jp") == "https://third.example.jp"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(DiskTrouble, match="musubi"):
        keeping.save(LOGIN)


def test_a_relative_folder_is_ignored_as_its_specification_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keeping.home() == tmp_path / ".config" / "musubi"
