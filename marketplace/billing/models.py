"""Tables of orders, payments, gateway events and invoices; those of the ledger stand in ``ledger_models``."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Identity, Index, Integer, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Order(Model):
    """One organization's order of one offer, with the price as it was when placed."""

    __tablename__ = "purchase_order"
    __table_args__ = (
        CheckConstraint("state IN ('placed', 'credited', 'paid', 'fulfilled', 'failed', 'expired')", name="state"),
        CheckConstraint("rail IN ('card', 'konbini', 'bank_transfer', 'invoice', 'outside')", name="rail"),
        CheckConstraint(
            "rail_wished IN ('card', 'konbini', 'bank_transfer', 'invoice', 'outside')", name="rail_wished"
        ),
        CheckConstraint("trial_days >= 0", name="trial_days"),
        CheckConstraint("(rail IS NULL) = (amount_gross_yen = 0)", name="rail_of_money"),
        CheckConstraint("state <> 'credited' OR rail IS NOT DISTINCT FROM 'invoice'", name="credited"),
        CheckConstraint("amount_net_yen <= list_net_yen", name="deductions"),
        CheckConstraint("num_nulls(term_number, term_from, term_to) IN (0, 3)", name="term"),
        CheckConstraint("term_from <= term_to AND term_number >= 0", name="term_order"),
        CheckConstraint("num_nulls(slip_number, slip_paid_on, slip_ordinance) IN (0, 3)", name="slip"),
        CheckConstraint(
            "slip_number IS NOT NULL OR rail IS DISTINCT FROM 'outside' OR paid_at IS NULL", name="slip_of_outside"
        ),
        CheckConstraint(
            "price_kind IN ('free', 'one_off', 'subscription', 'per_unit', 'graduated', 'volume', 'package')",
            name="price_kind",
        ),
        CheckConstraint("amount_net_yen >= 0 AND amount_tax_yen >= 0", name="amounts"),
        CheckConstraint("amount_gross_yen = amount_net_yen + amount_tax_yen", name="gross"),
        CheckConstraint("tax_rate_basis_points BETWEEN 0 AND 9999", name="tax_rate"),
        # On credit the money comes after the data: such an order has its ``paid_at`` when the invoice is paid.
        CheckConstraint(
            "(paid_at IS NOT NULL) = (state IN ('paid', 'fulfilled'))"
            " OR (state = 'fulfilled' AND rail IS NOT DISTINCT FROM 'invoice')",
            name="paid_at",
        ),
        Index("ix_purchase_order_organization_id_id", "organization_id", "id"),
        Index("ix_purchase_order_provider_organization_id_id", "provider_organization_id", "id"),
        Index("uq_purchase_order_idem", "idem", unique=True),
        Index("ix_purchase_order_subscription_id", "subscription_id", "term_number"),
        Index("ix_purchase_order_terms_sha256_id", "terms_sha256", "id"),
        Index("ix_purchase_order_created_at_outside", "created_at", postgresql_where=text("rail = 'outside'")),
        Index(
            "uq_purchase_order_provider_organization_id_slip_number",
            "provider_organization_id",
            "slip_number",
            unique=True,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    client_id: Mapped[str | None]
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    acceptance_id: Mapped[str] = mapped_column(ForeignKey("acceptance.id"))
    terms_sha256: Mapped[str]
    price_kind: Mapped[str]
    rail: Mapped[str | None]
    rail_wished: Mapped[str | None]
    trial_days: Mapped[int] = mapped_column(Integer, default=0)
    list_net_yen: Mapped[int] = mapped_column(BigInteger)
    deductions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    amount_net_yen: Mapped[int] = mapped_column(BigInteger)
    amount_tax_yen: Mapped[int] = mapped_column(BigInteger)
    amount_gross_yen: Mapped[int] = mapped_column(BigInteger)
    tax_rate_basis_points: Mapped[int] = mapped_column(Integer)
    state: Mapped[str]
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    idem: Mapped[str | None]
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscription.id"))
    term_number: Mapped[int | None] = mapped_column(Integer)
    term_from: Mapped[date | None] = mapped_column(Date)
    term_to: Mapped[date | None] = mapped_column(Date)
    slip_number: Mapped[str | None]
    slip_paid_on: Mapped[date | None] = mapped_column(Date)
    slip_ordinance: Mapped[str | None]


class Invoice(Model):
    """An invoice (請求書), a qualified one (適格請求書) where the issuer has a registration number.

    Names and numbers are copied in, since an issued invoice must not change with the organization.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("kind IN ('sale', 'usage')", name="kind"),
        CheckConstraint("state IN ('open', 'paid')", name="state"),
        CheckConstraint("(paid_at IS NOT NULL) = (state = 'paid')", name="paid_at"),
        CheckConstraint("paid_yen >= 0 AND credited_yen >= 0", name="settled"),
        CheckConstraint("paid_yen + credited_yen <= amount_gross_yen", name="overpaid"),
        CheckConstraint("(state = 'paid') = (paid_yen + credited_yen = amount_gross_yen)", name="paid_in_full"),
        CheckConstraint("dunning IN ('none', 'reminded', 'suspended')", name="dunning"),
        CheckConstraint("amount_net_yen >= 0 AND amount_tax_yen >= 0", name="amounts"),
        CheckConstraint("amount_gross_yen = amount_net_yen + amount_tax_yen", name="gross"),
        CheckConstraint("registration_number ~ '^T[0-9]{13}$'", name="registration_number"),
        CheckConstraint("registration_number IS NOT NULL OR amount_tax_yen = 0", name="qualified"),
        CheckConstraint("(kind = 'sale') = (order_id IS NOT NULL)", name="sale_order"),
        CheckConstraint("num_nulls(period_from, period_to) IN (0, 2)", name="period"),
        CheckConstraint("period_from <= period_to", name="period_order"),
        CheckConstraint("(kind = 'usage') = (period_from IS NOT NULL)", name="usage_period"),
        Index("ix_invoice_issuer_organization_id_id", "issuer_organization_id", "id"),
        Index("ix_invoice_recipient_organization_id_id", "recipient_organization_id", "id"),
        Index("ix_invoice_order_id", "order_id"),
        Index("ix_invoice_due_on_open", "due_on", postgresql_where=text("state = 'open'")),
        Index("ix_invoice_id_suspended", "id", postgresql_where=text("dunning = 'suspended'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    idem: Mapped[str] = mapped_column(unique=True)
    content_sha256: Mapped[str]
    kind: Mapped[str]
    issuer_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    issuer_name_ja: Mapped[str]
    issuer_name_en: Mapped[str]
    registration_number: Mapped[str | None]
    recipient_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    recipient_name_ja: Mapped[str]
    recipient_name_en: Mapped[str]
    order_id: Mapped[str | None] = mapped_column(ForeignKey("purchase_order.id"))
    period_from: Mapped[date | None] = mapped_column(Date)
    period_to: Mapped[date | None] = mapped_column(Date)
    transaction_on: Mapped[date] = mapped_column(Date)
    issued_on: Mapped[date] = mapped_column(Date)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    rate_totals: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    amount_net_yen: Mapped[int] = mapped_column(BigInteger)
    amount_tax_yen: Mapped[int] = mapped_column(BigInteger)
    amount_gross_yen: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    paid_yen: Mapped[int] = mapped_column(BigInteger, default=0)
    credited_yen: Mapped[int] = mapped_column(BigInteger, default=0)
    due_on: Mapped[date | None] = mapped_column(Date)
    dunning: Mapped[str] = mapped_column(default="none")
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


class InvoiceIssuer(Model):
    """The short code under which an organization's documents are numbered, and how it rounds tax for good."""

    __tablename__ = "invoice_issuer"
    __table_args__ = (CheckConstraint("tax_rounding IN ('floor', 'half_up', 'ceil')", name="tax_rounding"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    code: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    tax_rounding: Mapped[str] = mapped_column(server_default=text("'floor'"))


class RatedLine(Model):
    """What a settlement made of a grant's usage in one period: the proof of its invoice line.

    The revisions of a period add up: quantities are cumulative within it, in bytes, rows or requests, and fall where
    usage was corrected;
    ``amount_yen_exact`` and ``line_yen`` are what this revision adds, and may be negative. ``period`` is a
    month in Japan such as 2026-11, or ``grant``. Only ``invoice_id`` is ever set later, once (a trigger holds it):
    the invoice that bills the line, or of which an adjustment below zero was given back.
    """

    __tablename__ = "rated_line"
    __table_args__ = (
        CheckConstraint("0 <= quantity_from AND 0 <= quantity_to", name="stretch"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("period ~ '^(grant|[0-9]{4}-[0-9]{2})$'", name="period"),
        CheckConstraint("unit IN ('byte', 'row', 'request', 'download')", name="unit"),
        CheckConstraint("invoice_id IS NULL OR line_yen <> 0", name="invoiced"),
        Index("uq_rated_line_grant_id_period_revision", "grant_id", "period", "revision", unique=True),
        Index("ix_rated_line_invoice_id", "invoice_id"),
        Index(
            "ix_rated_line_provider_organization_id_open",
            "provider_organization_id",
            "organization_id",
            postgresql_where=text("invoice_id IS NULL AND line_yen <> 0"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str]
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))
    period: Mapped[str]
    revision: Mapped[int] = mapped_column(Integer)
    closed: Mapped[bool]
    period_from: Mapped[date] = mapped_column(Date)
    period_to: Mapped[date] = mapped_column(Date)
    unit: Mapped[str]
    quantity_from: Mapped[int] = mapped_column(BigInteger)
    quantity_to: Mapped[int] = mapped_column(BigInteger)
    amount_yen_exact: Mapped[Decimal] = mapped_column(Numeric)
    line_yen: Mapped[int] = mapped_column(BigInteger)


class Payment(Model):
    """One attempt to pay an order or an invoice; its key is stored before the gateway is first asked."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("num_nonnulls(order_id, invoice_id) = 1", name="one_purpose"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("gateway = 'stripe'", name="gateway"),
        CheckConstraint("rail IN ('card', 'konbini', 'bank_transfer')", name="rail"),
        CheckConstraint(
            "state IN ('created', 'open', 'processing', 'expired', 'failed', 'held', 'paid')", name="state"
        ),
        Index(
            "uq_payment_order_id_live",
            "order_id",
            unique=True,
            postgresql_where=text("state IN ('created', 'open', 'processing', 'held')"),
        ),
        Index(
            "uq_payment_invoice_id_live",
            "invoice_id",
            unique=True,
            postgresql_where=text("state IN ('created', 'open', 'processing', 'held')"),
        ),
        Index("ix_payment_order_id", "order_id"),
        Index("ix_payment_payment_intent_id", "payment_intent_id"),
        Index("ix_payment_invoice_id", "invoice_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("purchase_order.id"))
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    state: Mapped[str]
    gateway: Mapped[str]
    rail: Mapped[str] = mapped_column(default="card")
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    session_expires_at: Mapped[datetime | None]
    payment_intent_id: Mapped[str | None]
    charge_id: Mapped[str | None]
    created_at: Mapped[datetime]


class PaymentFact(Model):
    """One thing known of a payment; the same kind of the same gateway object is known once."""

    __tablename__ = "payment_fact"

    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str]
    occurred_at: Mapped[datetime]
    event_id: Mapped[str | None]


class StripeEvent(Model):
    """One gateway event, stored once before anything is made of it."""

    __tablename__ = "stripe_event"
    __table_args__ = (
        CheckConstraint("num_nonnulls(processed_at, parked_at) < 2", name="one_end"),
        Index("ix_stripe_event_due_at", "due_at", postgresql_where=text("processed_at IS NULL AND parked_at IS NULL")),
        Index("ix_stripe_event_received_at", "received_at"),
        Index("ix_stripe_event_parked_at", "parked_at", postgresql_where=text("parked_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    livemode: Mapped[bool]
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer)
    trouble: Mapped[str | None]
