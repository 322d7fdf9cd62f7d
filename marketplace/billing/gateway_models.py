"""Tables of what we keep of the gateway itself: our payers there, and how far we have read its lists."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class GatewayCustomer(Model):
    """An organization as the gateway knows it; the key is stored before the gateway is first asked."""

    __tablename__ = "gateway_customer"

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    asked_at: Mapped[datetime]
    customer_id: Mapped[str | None] = mapped_column(unique=True)


class GatewayCursor(Model):
    """Until when one of the gateway's lists has been read."""

    __tablename__ = "gateway_cursor"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_until: Mapped[datetime]
