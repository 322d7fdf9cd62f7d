"""What the environment variable of a setting is called, and what its text says by the type of the setting."""

from pathlib import Path
from typing import Any

CONVENTIONAL = {
    "database_url": "DATABASE_URL",
    "stripe_api_key": "STRIPE_API_KEY",
    "stripe_api_base": "STRIPE_API_BASE",
    "stripe_webhook_secrets": "STRIPE_WEBHOOK_SECRETS",
    "stripe_max_retries": "STRIPE_MAX_RETRIES",
    "stripe_timeout_seconds": "STRIPE_TIMEOUT",
    "stripe_connect": "STRIPE_CONNECT",
    "payments_live": "PAYMENTS_LIVE",
    "s3_access_key_id": "AWS_ACCESS_KEY_ID",
    "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "s3_session_token": "AWS_SESSION_TOKEN",
}


def name_of(name: str) -> str:
    """Return the environment variable that sets a field."""
    return CONVENTIONAL.get(name, f"MARKETPLACE_{name.upper()}")


def read(text: str, kind: Any) -> Any:
    """Return the value of a text; raises ValueError, and ``expected`` says what would have been one."""
    return _READERS[str(kind)](text)


def expected(kind: Any) -> str:
    """Return what a variable of that type holds, in words."""
    return _EXPECTED[str(kind)]


def _read_bool(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("neither true nor false")


_READERS: dict[str, Any] = {
    str(str): str,
    str(int): int,
    str(bool): _read_bool,
    str(Path): Path,
    str(str | None): str,
    str(Path | None): Path,
    str(tuple[str, ...]): lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}
_EXPECTED = {
    str(str): "a text",
    str(int): "a whole number",
    str(bool): "true or false",
    str(Path): "a path",
    str(str | None): "a text",
    str(Path | None): "a path",
    str(tuple[str, ...]): "a comma-separated list",
}
