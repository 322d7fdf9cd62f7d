"""The table of upstreams."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Upstream(Model):
    """What of a provider's HTTP interface the buyers of a dataset may ask, and with which header fields.

    ``headers_sealed`` holds names and values, sealed with the installation's key; ``header_names`` the names alone.
    ``openapi`` is a JSON text that is shown and never read.
    """

    __tablename__ = "upstream"
    __table_args__ = (
        CheckConstraint("base_url LIKE 'https://%'", name="base_url"),
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    base_url: Mapped[str]
    paths: Mapped[list[str]]
    parameters: Mapped[list[str]]
    header_names: Mapped[list[str]]
    headers_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    requests_per_minute: Mapped[int] = mapped_column(Integer)
    openapi: Mapped[str | None]
    updated_at: Mapped[datetime]
