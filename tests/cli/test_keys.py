"""`marketplace keys` and `marketplace permissions`: what an operator does with signing keys, and reads of rights."""

import os
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from marketplace import app as composition_root
from marketplace import cli
from marketplace.identity.oauth import keys
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.settings import BadSetting, Settings
from tests.identity.conftest import basic, found

OWN = "/v1/organizations/me"


@pytest.fixture
def run(own_database):
    given: Settings = replace(own_database.config["MUSUBI_SETTINGS"])
    composed = replace(composition_root.composition(), settings=lambda: given)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(cli.build(composed), arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output.split()

    invoke.path = given.signing_key_path
    return invoke


def test_o111_a_replaced_key_is_good_for_an_hour_and_for_nothing_after(run, own_database):
    who, wire = found(Capacity.BUYER), own_database.test_client()
    asked = {"data": {"grant_type": "client_credentials"}, "headers": basic(who.client.id, who.secret)}
    token = {"Authorization": f"Bearer {wire.post('/oauth/token', **asked).json['access_token']}"}
    old = run("keys", "list")[0]
    new = run("keys", "rotate")[0]
    assert run("keys", "list") == [new, "signs", old, "verifies"]
    assert [key["kid"] for key in wire.get("/oauth/jwks.json").json["keys"]] == [new, old]
    assert wire.get(OWN, headers=token).status_code == 200
    assert "until" in run("keys", "prune", code=1)
    long_ago = (clock.now() - keys.GRACE - timedelta(seconds=1)).timestamp()
    os.utime(run.path, (long_ago, long_ago))
    assert run("keys", "prune") == [old, "dropped"]
    assert run("keys", "list") == [new, "signs"]
    assert wire.get(OWN, headers=token).status_code == 401
    assert run("keys", "prune")[-1] == "signs"


def test_a_key_file_that_is_spoilt_is_named(run):
    keys.current()
    run.path.write_text("nothing")
    with pytest.raises(BadSetting, match=re.escape(str(run.path))):
        run("keys", "list")


def test_the_table_of_rights_is_printed(run):
    assert "`catalog.read`" in run("permissions")
