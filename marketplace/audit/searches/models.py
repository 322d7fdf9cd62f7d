"""The table of saved searches."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class SavedSearch(Model):
    """A search of the record under a name; the organization shares it, ``member_id`` or ``client_id`` saved it."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("organization_id", "name"), CheckConstraint("name <> ''", name="name"))

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str]
    member_id: Mapped[str | None]
    client_id: Mapped[str | None]
    name: Mapped[str]
    query: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime]
