"""One authenticated request, as the endpoints see it."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.reader import Reader


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked; ``fingerprint`` identifies address and parameters. There is but one account."""

    config: SandboxConfig
    now: datetime
    request_id: str
    idempotency_key: str | None
    params: Reader
    fingerprint: str

    @property
    def recorder(self) -> Recorder:
        """Return a recorder whose events name this request."""
        cause = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        return Recorder(self.config, self.now, cause)

    def only_expand(self) -> list[str]:
        """Return what shall be expanded, and refuse every other parameter."""
        paths = self.params.texts("expand")
        self.params.finish()
        return paths
