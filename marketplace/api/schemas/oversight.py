"""The ledger and the record on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import (
    Instant,
    PageQuery,
    Strict,
    Whole,
    identifier,
    line,
    one_of,
    page_of,
    pattern,
)
from marketplace.audit.verbs import Verb
from marketplace.billing.balance.states import MovementState

# What JSON numbers hold exactly: the search itself goes on record.
AMOUNTS = validate.Range(1 - 2**53, 2**53 - 1)
# It goes there for good, so that nobody's name may be in it: ids, months, hashes and references have digits.
PARTY = pattern(r"([a-z]{2,4}_[0-9a-f]{32}|system)", "Not an id, nor `system`.")
SUBJECT = pattern(r"([A-Za-z_.:-]*[0-9][A-Za-z0-9_.:-]*|system)", "Not an id, a month, a hash or a reference.")


class AccountView(Schema):
    """An account with its balance; debit is positive, credit negative."""

    code = fields.String(required=True)
    currency = fields.String(required=True)
    balance_minor = fields.Integer(required=True)


class TrialBalanceView(Schema):
    """All accounts of one currency and their sum, which is 0."""

    currency = fields.String(required=True)
    accounts = fields.List(fields.Nested(AccountView), required=True)
    total_minor = fields.Integer(required=True)


class TrialBalanceQuery(Strict):
    """Until which day, inclusive, today when absent; of which currency, yen when absent."""

    until = fields.Date()
    currency = fields.String(load_default="JPY", validate=validate.Regexp("^[A-Z]{3}$"))


class PostingView(Schema):
    """One leg of a transaction."""

    account = fields.String(required=True)
    currency = fields.String(required=True)
    amount_minor = fields.Integer(required=True)


class TransactionView(Schema):
    """A balanced transaction."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True)
    ref = fields.String(required=True)
    effective_on = fields.Date(required=True)
    entries = fields.List(fields.Nested(PostingView), required=True)


class TransactionQuery(PageQuery):
    """Which transactions."""

    account = line(metadata={"description": "with its sub-accounts"})
    date_from = fields.Date()
    date_to = fields.Date()
    ref = line(metadata={"description": "the order, invoice or payment it books"})


class MovementView(Schema):
    """One movement of the payment gateway's balance, and the ledger transaction that it is."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    source_id = fields.String(required=True, allow_none=True)
    amount_minor = fields.Integer(required=True)
    fee_minor = fields.Integer(required=True)
    net_minor = fields.Integer(required=True)
    currency = fields.String(required=True)
    created_at = Instant(required=True)
    available_at = Instant(required=True)
    state = one_of(MovementState, required=True)
    ledger_txn_id = fields.Integer(required=True, allow_none=True)


class MovementQuery(PageQuery):
    """Which movements."""

    state = one_of(MovementState)


class EntrySearch(Strict):
    """What an auditor looks for, in any combination: ids and references, which the record repeats, never words."""

    occurred_from = Instant()
    occurred_to = Instant()
    amount_from = fields.Integer(validate=AMOUNTS)
    amount_to = fields.Integer(validate=AMOUNTS)
    organization_id = fields.String(validate=PARTY)
    counterparty_id = fields.String(validate=PARTY)
    verb = one_of(Verb)
    subject = fields.String(validate=[validate.Length(max=100), SUBJECT])
    dataset_id = identifier("ds")


class SavedOrNot(EntrySearch):
    """A search, or the rest of one that is saved."""

    search_id = identifier("svs", metadata={"description": "a saved search; what is given beside it counts instead"})


class EntryQuery(SavedOrNot, PageQuery):
    """A page of a search."""


class ExportQuery(SavedOrNot):
    """A whole search as a file."""

    format = fields.String(load_default="ndjson", validate=validate.OneOf(["csv", "ndjson", "parquet"]))


class EntryView(Schema):
    """A deed in the record, with its place in the tree once it has one."""

    id = fields.String(required=True)
    position = Whole(allow_none=True)
    occurred_at = Instant(required=True)
    organization_id = fields.String(required=True)
    client_id = fields.String(allow_none=True)
    member_id = fields.String(allow_none=True)
    verb = fields.String(required=True)
    subject = fields.String(required=True)
    counterparty_id = fields.String(allow_none=True)
    dataset_id = fields.String(allow_none=True)
    amount_minor = fields.Integer(allow_none=True)
    facts = fields.Dict(required=True)


class TreeView(Schema):
    """The Merkle tree of the record (RFC 6962): how many leaves, and the hash over them."""

    size = fields.Integer(required=True)
    root = fields.String(required=True)
    unplaced = fields.Integer(
        required=True, metadata={"description": "entries that wait for their place, at most 1000"}
    )


class DeedQuery(PageQuery):
    """To which thing."""

    subject = line(100, required=True)


class DeedView(Schema):
    """A deed, by its entry in the record."""

    id = fields.String(required=True)
    verb = fields.String(required=True)
    occurred_at = Instant(required=True)


class DeedReceiptView(Schema):
    """An entry and the proof that the record holds it."""

    id = fields.String(required=True)
    entry = fields.String(required=True, metadata={"description": "RFC 8785 text; a leaf is SHA-256 over 0x00 and it"})
    position = Whole(required=True, allow_none=True)
    proof = fields.String(
        required=True, allow_none=True, metadata={"description": "C2SP tlog-proof; none until a checkpoint holds it"}
    )


DeedPage = page_of(DeedView)
TransactionPage = page_of(TransactionView)
MovementPage = page_of(MovementView)
EntryPage = page_of(EntryView)
