"""Logs: one line each, and no secret in any."""

import json
import logging
import sys

import pytest

from marketplace.kit import logs


def line(message: str, *args: object, **more: object) -> str:
    record = logging.LogRecord("marketplace.test", logging.WARNING, __file__, 1, message, args, more.get("exc_info"))
    record.stack_info = more.get("stack_info")
    return logs.JsonLines().format(record)


def test_a_line_says_when_how_bad_who_and_what() -> None:
    read = json.loads(line("受信 %d", 3))
    assert (read["level"], read["logger"], read["message"]) == ("warning", "marketplace.test", "受信 3")
    assert read["at"].endswith("+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET.SECRET-SECRET",
        "authorization: basic U0VDUkVUOlNFQ1JFVA==SECRET",
        "made mk_sk_SECRET",
        "renewed by mk_rt_SECRET",
        "registered by mk_it_SECRET and mk_rg_SECRET",
        "DPoP SECRET.SECRET",
        "client_assertion=SECRET",
        "code_verifier=SECRET",
        "{'refresh_token': 'SECRET'}",
        "whsec_SECRET is wrong",
        "sk_test_SECRET and sk_live_SECRET and rk_live_SECRET",
        "client_secret=SECRET&scope=x",
        '{"client_secret": "SECRET"}',
        "{'access_token': 'SECRET'}",
        "GET /v1/catalog?q=SECRET HTTP/1.1",
        "https://exchange.example.jp/tickets/1?ticket=SECRET",
        "'http://127.0.0.1:8000/x?a=SECRET&b=SECRET'",
        "token=SECRET",
    ],
)
def test_secrets_and_queries_are_masked(text: str) -> None:
    assert "SECRET" not in line(text)
    assert "…" in line(text)


@pytest.mark.parametrize("text", ["GET /v1/catalog HTTP/1.1", "order ord_1 placed", "really? yes", "3/4 done"])
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert json.loads(line(text))["message"] == text


@pytest.mark.parametrize("sign", ["\n", "\r", "\x00", "\x1b[2J", "\x85", "\x9b", "\u2028", "\u2029", "\x7f", "\ud800"])
def test_no_sign_forges_a_second_line_or_commands_a_terminal(sign: str) -> None:
    forged = f'x{sign}{{"level": "critical"}}'
    written = line("%s", forged)
    assert len(written.splitlines()) == 1
    assert sign not in written
    assert json.loads(written)["message"] == forged


def test_traces_are_masked_as_well() -> None:
    try:
        int("Bearer SECRETSECRET")
    except ValueError:
        written = line("failed", exc_info=sys.exc_info(), stack_info="at https://x.jp/?key=SECRET")
    read = json.loads(written)
    assert "ValueError" in read["trace"]
    assert "SECRET" not in written
    assert read["stack"].startswith("at https://x.jp/?…")


@pytest.mark.usefixtures("own_logging")
def test_configuring_sends_everything_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("marketplace.test").info("hello")
    logging.getLogger("stripe").info("not this")
    (written,) = capsys.readouterr().err.splitlines()
    assert json.loads(written)["message"] == "hello"


def test_only_what_is_bad_enough_passes_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("marketplace.test")
    with pytest.raises(KeyError), logs.from_level(logging.ERROR, "marketplace"):
        log.warning("part of the story")
        raise KeyError
    log.warning("heard again")
    assert caplog.messages == ["heard again"]
