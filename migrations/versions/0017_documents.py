"""Documents of every kind, and when a registration number is valid."""

import hashlib
import json
import uuid
from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KINDS = (
    "'quote', 'purchase_order', 'order_acknowledgement', 'inspection', 'invoice', 'correction', 'credit_note',"
    " 'commission_invoice', 'purchase_statement', 'receipt'"
)

# An issued document never changes; it may leave when the law no longer asks for it, and not a day earlier.
KEEP_DOCUMENT = """
CREATE FUNCTION document_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.retain_until < (now() AT TIME ZONE 'Asia/Tokyo')::date THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'document % was issued: it is kept until % and does not change', OLD.number, OLD.retain_until
        USING ERRCODE = 'restrict_violation';
END $$
"""

# A serial only ever follows the one before it: nobody leaves a gap, nor goes back.
COUNT_ONE_BY_ONE = """
CREATE FUNCTION document_counter_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last_serial <> OLD.last_serial + 1
        OR (NEW.issuer_organization_id, NEW.series, NEW.year) IS DISTINCT FROM
           (OLD.issuer_organization_id, OLD.series, OLD.year)
    THEN
        RAISE EXCEPTION 'document numbers have no gaps' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# An upgrade files invoices anew, and nothing else: what the law has kept for years does not go with the way back.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM document WHERE kind <> 'invoice') THEN
        RAISE EXCEPTION 'there are documents that version 0016 cannot hold: they are kept for years';
    END IF;
END $$
"""


def upgrade() -> None:
    """Create the tables, move the counter of invoices into that of all documents, file the invoices there are."""
    _create_registrations()
    _create_documents()
    _count_all_kinds()
    op.add_column(
        "invoice_issuer", sa.Column("tax_rounding", sa.Text(), server_default=sa.text("'floor'"), nullable=False)
    )
    op.create_check_constraint(
        "ck_invoice_issuer_tax_rounding", "invoice_issuer", "tax_rounding IN ('floor', 'half_up', 'ceil')"
    )
    _file_invoices()
    _guard()


def downgrade() -> None:
    """Drop the documents of invoices; the invoices and the counter of their numbers stay. Refuses where others are."""
    op.execute(REFUSE_LOSS)
    for trigger in ("document_unchanged", "document_never_emptied"):
        op.execute(f"DROP TRIGGER {trigger} ON document")
    op.execute("DROP TRIGGER document_counter_gapless ON document_counter")
    for function in ("document_check_change", "document_counter_check_change"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_constraint("ck_invoice_issuer_tax_rounding", "invoice_issuer")
    op.drop_column("invoice_issuer", "tax_rounding")
    op.execute("DELETE FROM document_counter WHERE series <> ''")
    op.drop_constraint("pk_document_counter", "document_counter")
    op.drop_column("document_counter", "series")
    op.rename_table("document_counter", "invoice_counter")
    op.create_primary_key("pk_invoice_counter", "invoice_counter", ["issuer_organization_id", "year"])
    _rename_foreign_key("invoice_counter", "document_counter", "invoice_counter")
    op.drop_table("document")
    op.drop_table("invoice_registration")


def _create_registrations() -> None:
    op.create_table(
        "invoice_registration",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number ~ '^T[0-9]{13}$'", name="ck_invoice_registration_number"),
        sa.CheckConstraint("valid_to >= valid_from", name="ck_invoice_registration_validity"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_invoice_registration_organization_id"
        ),
        sa.PrimaryKeyConstraint("organization_id", "valid_from", name="pk_invoice_registration"),
    )


def _create_documents() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("idem", sa.Text(), nullable=False),
        sa.Column("draft_sha256", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("issuer_organization_id", sa.Text(), nullable=False),
        sa.Column("recipient_organization_id", sa.Text(), nullable=False),
        sa.Column("transaction_on", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("corrects", sa.Text(), nullable=True),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.Column("retain_until", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="ck_document_kind"),
        sa.CheckConstraint("kind <> 'correction' OR corrects IS NOT NULL", name="ck_document_correction"),
        sa.CheckConstraint(
            "kind <> 'credit_note' OR (corrects IS NOT NULL AND amount_yen <= 0)", name="ck_document_credit_note"
        ),
        sa.CheckConstraint("retain_until >= issued_on + 2557", name="ck_document_retention"),
        sa.CheckConstraint("jsonb_typeof(about) = 'array'", name="ck_document_about"),
        sa.ForeignKeyConstraint(
            ["issuer_organization_id"], ["organization.id"], name="fk_document_issuer_organization_id"
        ),
        sa.ForeignKeyConstraint(
            ["recipient_organization_id"], ["organization.id"], name="fk_document_recipient_organization_id"
        ),
        sa.ForeignKeyConstraint(["corrects"], ["document.id"], name="fk_document_corrects"),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
        sa.UniqueConstraint("number", name="uq_document_number"),
        sa.UniqueConstraint("idem", name="uq_document_idem"),
    )
    op.create_index("ix_document_issuer_organization_id_id", "document", ["issuer_organization_id", "id"])
    op.create_index("ix_document_recipient_organization_id_id", "document", ["recipient_organization_id", "id"])
    op.create_index("ix_document_transaction_on", "document", ["transaction_on"])
    op.create_index("ix_document_amount_yen", "document", ["amount_yen"])
    op.create_index("ix_document_about", "document", ["about"], postgresql_using="gin")
    op.create_index("ix_document_corrects", "document", ["corrects"])
    op.create_index(
        "uq_document_corrects_once",
        "document",
        ["corrects"],
        unique=True,
        postgresql_where=sa.text("kind = 'correction'"),
    )


def _count_all_kinds() -> None:
    op.drop_constraint("pk_invoice_counter", "invoice_counter")
    op.rename_table("invoice_counter", "document_counter")
    op.add_column("document_counter", sa.Column("series", sa.Text(), nullable=True))
    op.execute("UPDATE document_counter SET series = ''")
    op.alter_column("document_counter", "series", nullable=False)
    op.create_primary_key("pk_document_counter", "document_counter", ["issuer_organization_id", "series", "year"])
    _rename_foreign_key("document_counter", "invoice_counter", "document_counter")


def _rename_foreign_key(table: str, before: str, after: str) -> None:
    op.execute(
        f"ALTER TABLE {table} RENAME CONSTRAINT fk_{before}_issuer_organization_id TO fk_{after}_issuer_organization_id"
    )


def _guard() -> None:
    op.execute(KEEP_DOCUMENT)
    op.execute(COUNT_ONE_BY_ONE)
    op.execute(
        "CREATE TRIGGER document_unchanged BEFORE UPDATE OR DELETE ON document"
        " FOR EACH ROW EXECUTE FUNCTION document_check_change()"
    )
    op.execute(
        "CREATE TRIGGER document_never_emptied BEFORE TRUNCATE ON document"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER document_counter_gapless BEFORE UPDATE ON document_counter"
        " FOR EACH ROW EXECUTE FUNCTION document_counter_check_change()"
    )


def _file_invoices() -> None:
    """Give each invoice issued so far its document, so that one search finds them all."""
    connection = op.get_bind()
    found = connection.execute(sa.text("SELECT * FROM invoice ORDER BY id").execution_options(yield_per=500))
    for invoice in found.mappings():
        connection.execute(FILE, _row(invoice))


FILE = sa.text(
    "INSERT INTO document (id, kind, number, idem, draft_sha256, content, content_sha256, issuer_organization_id,"
    " recipient_organization_id, transaction_on, issued_on, amount_yen, corrects, about, retain_until, created_at)"
    " VALUES (:id, 'invoice', :number, :idem, :sha256, CAST(:content AS jsonb), :sha256, :issuer, :recipient,"
    " :transaction_on, :issued_on, :amount, NULL, CAST(:about AS jsonb), :retain_until, :created_at)"
)


def _row(invoice: sa.RowMapping) -> dict[str, object]:
    content = _canonical(_content(invoice))
    return {
        "id": f"doc_{invoice['id'].partition('_')[2] or uuid.uuid4().hex}",
        "number": invoice["number"],
        "idem": f"invoice:{invoice['idem']}",
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "content": content,
        "issuer": invoice["issuer_organization_id"],
        "recipient": invoice["recipient_organization_id"],
        "transaction_on": invoice["transaction_on"],
        "issued_on": invoice["issued_on"],
        "amount": invoice["amount_gross_yen"],
        "about": _canonical(_about(invoice)),
        "retain_until": date(invoice["issued_on"].year + 9, 3, 31),
        "created_at": invoice["created_at"],
    }


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _about(invoice: sa.RowMapping) -> list[str]:
    grants = dict.fromkeys(line["grant_id"] for line in invoice["lines"] if line.get("grant_id"))
    return [invoice["id"], *([invoice["order_id"]] if invoice["order_id"] else []), *grants]


def _content(invoice: sa.RowMapping) -> dict[str, object]:
    registered = invoice["registration_number"] is not None
    totals = invoice["rate_totals"] or [
        {"rate_basis_points": 0, "net_yen": invoice["amount_net_yen"], "tax_yen": 0},
    ]
    return {
        "schema": "musubi-document/1",
        "kind": "invoice",
        "number": invoice["number"],
        "issued_on": invoice["issued_on"].isoformat(),
        "issuer": _party(invoice, "issuer", invoice["registration_number"]),
        "recipient": _party(invoice, "recipient", None),
        "transaction_on": invoice["transaction_on"].isoformat(),
        "period_from": _day(invoice["period_from"]),
        "period_to": _day(invoice["period_to"]),
        "due_on": None,
        "valid_until": None,
        "lines": [_line(line, registered) for line in invoice["lines"]],
        "totals": [_total(total, registered) for total in totals],
        "amount_net_yen": str(invoice["amount_net_yen"]),
        "amount_tax_yen": str(invoice["amount_tax_yen"]),
        "amount_gross_yen": str(invoice["amount_gross_yen"]),
        "reverse_charge": False,
        "transitional_credit_percent": None,
        "corrects": None,
        "delivered_by": None,
        "about": _about(invoice),
        "remarks": [],
        "facts": {},
    }


def _party(invoice: sa.RowMapping, role: str, registration_number: str | None) -> dict[str, str | None]:
    return {
        "organization_id": invoice[f"{role}_organization_id"],
        "name_ja": invoice[f"{role}_name_ja"],
        "name_en": invoice[f"{role}_name_en"],
        "registration_number": registration_number,
    }


def _line(line: dict[str, object], registered: bool) -> dict[str, object]:
    return {
        "description_ja": line["description_ja"],
        "description_en": line["description_en"],
        "quantity": line["quantity"],
        "unit": line["unit"],
        "unit_price_yen": str(line["unit_price_yen"]),
        "amount_net_yen": str(line["amount_net_yen"]),
        "tax_rate_basis_points": line["tax_rate_basis_points"],
        "tax_category": _category(line["tax_rate_basis_points"], registered),
        "grant_id": line.get("grant_id"),
    }


def _total(total: dict[str, object], registered: bool) -> dict[str, object]:
    return {
        "category": _category(total["rate_basis_points"], registered),
        "rate_basis_points": total["rate_basis_points"],
        "net_yen": str(total["net_yen"]),
        "tax_yen": str(total["tax_yen"]),
    }


def _category(rate: object, registered: bool) -> str:
    return "S" if rate else "E" if registered else "O"


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
