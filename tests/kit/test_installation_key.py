"""The installation's own secret: made once, derived by purpose, sealing what must be read again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

from marketplace.kit import installation_key, secret_files, settings
from marketplace.kit.installation_key import InstallationKeyUnusable, Unsealable


@pytest.fixture(autouse=True)
def own_folder(app: Flask, tmp_path):
    before = settings.current()
    settings.install(replace(before, data_dir=tmp_path))
    yield tmp_path
    settings.install(before)


def test_the_key_is_made_at_first_use_and_stays(own_folder) -> None:
    first = installation_key.derived("codes")
    path = own_folder / "keys" / "installation.key"
    assert (len(first), path.stat().st_mode & 0o777) == (32, 0o600)
    assert installation_key.derived("codes") == first


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert installation_key.derived("codes") != installation_key.derived("forms")


def test_what_is_sealed_is_read_again_for_its_purpose_alone() -> None:
    sealed = installation_key.seal("codes", "秘密".encode())
    assert "秘密".encode() not in sealed
    assert installation_key.unseal("codes", sealed).decode() == "秘密"
    for purpose, bent in (("forms", sealed), ("codes", sealed[:-1]), ("codes", b""), ("codes", sealed[:-1] + b"x")):
        with pytest.raises(Unsealable):
            installation_key.unseal(purpose, bent)


@pytest.mark.parametrize("content", ["", "zz" * 32, "00" * 31, "00" * 32, "0123456789abcdef" * 4])
def test_a_key_file_that_holds_something_else_is_named(own_folder, content: str) -> None:
    path = own_folder / "keys" / "installation.key"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InstallationKeyUnusable, match=r"installation\.key"):
        installation_key.derived("codes")


def test_of_several_that_make_a_secret_at_once_one_wins(tmp_path) -> None:
    path = tmp_path / "new" / "secret"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: secret_files.create(path, str(n).encode()), range(8)))
    assert path.read_text() in set("01234567")
    assert [one.name for one in path.parent.iterdir()] == ["secret"]
