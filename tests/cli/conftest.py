"""What the tests of the command line share."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import CliRunner
from flask import Flask

from marketplace import app as composition_root
from marketplace import cli

Run = Callable[..., str]


@pytest.fixture
def run(own_database: Flask) -> Run:
    """Run a command as the composition root composes it, on this test's database; returns what it said."""
    given = replace(own_database.config["MUSUBI_SETTINGS"])
    composed = replace(composition_root.composition(), settings=lambda: given)

    def invoke(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(cli.build(composed), [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        return result.output

    return invoke
