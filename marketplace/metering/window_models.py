"""The table of windows: how many requests each grant made in the minute that runs."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class RequestWindow(Model):
    """The minute in which a grant asked an upstream last, and how often."""

    __tablename__ = "request_window"

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    begun_at: Mapped[datetime]
    requests: Mapped[int] = mapped_column(Integer)
