"""Tables of receipts: each signed text, and the keys that verify them for good."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class ReceiptKey(Model):
    """The public half of a key that signed receipts; it outlives the private one. Append-only by trigger."""

    __tablename__ = "receipt_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[dict[str, Any]]
    first_used_at: Mapped[datetime]


class Receipt(Model):
    """What the exchange has signed of one delivery, once. Append-only by trigger."""

    __tablename__ = "receipt"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"), primary_key=True)
    kid: Mapped[str] = mapped_column(ForeignKey("receipt_key.kid"))
    signed_at: Mapped[datetime]
    jws: Mapped[str]
