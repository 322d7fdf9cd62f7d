"""What the sandbox is told when it is mounted."""

from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from marketplace.sandbox.trouble import Storm

EXTENSION = "marketplace.sandbox"


@dataclass(slots=True)
class Knobs:
    """Troubles that are played on request; the webhook sender reads them at each sending."""

    duplicate: int = 0
    reorder: bool = False
    delay_seconds: int = 0
    drop: frozenset[str] = frozenset()
    hold_refunds: bool = False


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Settings of one mounted sandbox; raises ValueError when they contradict each other.

    ``webhook_url``: where events are posted; without it none are. ``webhook_secret``: signs them.
    ``public_url``: where browsers reach the mounted blueprint, without a final slash; by default as the
    API caller reached it. ``api_key``: the only key accepted; by default any ``sk_test_`` key.
    ``fee_basis_points``: of card and konbini payments. The dispute fee is kept whoever wins.
    ``retry_seconds``: the pauses after failed webhook attempts; when they are used up, it is given up.
    """

    webhook_url: str | None = None
    webhook_secret: str = ""
    public_url: str | None = None
    api_key: str | None = None
    fee_basis_points: int = 360
    konbini_fee_yen_min: int = 120
    bank_transfer_fee_basis_points: int = 150
    bank_transfer_fee_yen_min: int = 50
    dispute_fee_yen: int = 1300
    retry_seconds: tuple[int, ...] = (2, 10, 60, 600, 3600, 10800)
    timeout_seconds: float = 10.0
    knobs: Knobs = field(default_factory=Knobs)
    storm: Storm = field(default_factory=Storm)

    def __post_init__(self) -> None:
        if self.webhook_url and not self.webhook_url.startswith(("http://", "https://")):
            raise ValueError("webhook_url must begin with http:// or https://")
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("webhook_url needs a webhook_secret: an empty secret lets anyone forge events")
        if self.api_key is not None and "_live_" in self.api_key:
            raise ValueError("the sandbox never takes a live key")
        if not 0 <= self.fee_basis_points < 10_000:
            raise ValueError("fee_basis_points must be 0 to 9999 (360 is 3.6 %)")


def find() -> SandboxConfig | None:
    """Return the settings of the sandbox mounted on the current application, None when there is none."""
    return cast("SandboxConfig | None", current_app.extensions.get(EXTENSION))
