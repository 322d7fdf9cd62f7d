"""Terms, offers, orders, invoices, grants and usage on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.access.states import Standing
from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, identifier, line, one_of, page_of, pattern
from marketplace.api.schemas.givingback import SERVICE_LEVEL, CreditStepDraft, PromiseView
from marketplace.api.schemas.prices import DiscountDraft, PriceDraft, PriceView, ShareDraft
from marketplace.billing.states import Dunning, InvoiceKind, InvoiceState, OrderState
from marketplace.licensing.states import Cancellation, OfferState, PriceKind, Rail, ReleaseScope

YEN_MAX = 999_999_999_999
SHA256 = pattern("[0-9a-f]{64}", "Not a SHA-256 in lower-case hex.")


class TermsDraft(Strict):
    """Terms from a template, from scratch, or from a template with some items changed."""

    title_ja = line()
    title_en = line()
    template = line(50)
    items = fields.Dict(
        metadata={
            "description": "the 15 trading-policy items of CADDE 4.0; tracing: manifest, row_order or canary; "
            "data_policy: which columns and rows of tables are given"
        }
    )


class TermsView(Schema):
    """Usage terms, named by the SHA-256 of their canonical JSON."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    template = fields.String(allow_none=True)
    document = fields.Dict(required=True)
    sha256 = fields.String(required=True)
    created_at = Instant(required=True)


class RenderedTermsView(TermsView):
    """Terms with all their renderings, made from one source."""

    text_ja = fields.String(required=True)
    text_en = fields.String(required=True)
    odrl = fields.Dict(required=True)


class OfferVersionDraft(Strict):
    """What a version of an offer says."""

    terms_id = identifier("trm", required=True)
    price = fields.Nested(PriceDraft, required=True)
    duration_days = Whole(allow_none=True, validate=validate.Range(1, 36_500))
    quota_bytes = Whole(allow_none=True, validate=validate.Range(1, 2**62))
    quota_downloads = Whole(allow_none=True, validate=validate.Range(1, 2**31 - 1))
    quota_rows = Whole(allow_none=True, validate=validate.Range(1, 2**62))
    quota_requests = Whole(allow_none=True, validate=validate.Range(1, 2**31 - 1))
    quota_streams = Whole(
        allow_none=True, validate=validate.Range(1, 2**31 - 1), metadata={"description": "downloads running at once"}
    )
    release_scope = one_of(ReleaseScope, load_default=ReleaseScope.CURRENT.value)
    rails = fields.List(
        line(40),
        validate=validate.Length(0, 10),
        metadata={"description": "card, konbini, bank_transfer, invoice, outside; card when absent and not free"},
    )
    buyer_organization_id = identifier(
        "org", allow_none=True, metadata={"description": "makes the offer private: nobody else finds it"}
    )
    valid_until = Instant(allow_none=True)
    shares = fields.List(fields.Nested(ShareDraft), validate=validate.Length(0, 50))
    discounts = fields.List(fields.Nested(DiscountDraft), validate=validate.Length(0, 10))
    fee_ordinance = line(allow_none=True, metadata={"description": "the by-law (条例) behind a public body's fee"})
    cancellation = one_of(
        Cancellation,
        load_default=Cancellation.NONE.value,
        metadata={"description": "pro_rata lets the buyer cancel at any time, and get the unused days back"},
    )
    service_level = fields.List(
        fields.Nested(CreditStepDraft),
        validate=SERVICE_LEVEL,
        metadata={"description": "what comes back of a month of too little availability, the highest step first"},
    )


class OfferDraft(OfferVersionDraft):
    """A new offer for a dataset."""

    dataset_id = identifier("ds", required=True)


class DueView(Schema):
    """What is to be paid at once, in whole yen."""

    amount_net_yen = fields.Integer(required=True)
    amount_tax_yen = fields.Integer(required=True)
    amount_gross_yen = fields.Integer(required=True)


class OfferView(Schema):
    """An offer: a dataset under terms for a price."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    organization_id = fields.String(required=True)
    terms_id = fields.String(required=True)
    terms_sha256 = fields.String(required=True)
    price_kind = one_of(PriceKind, required=True)
    amount_yen = fields.Integer(required=True)
    price = fields.Nested(PriceView, required=True)
    due_now = fields.Nested(
        DueView,
        metadata={
            "description": "of a single offer: what an order costs today with consumption tax, before discounts; "
            "a trial is taken to be the first"
        },
    )
    rails = fields.List(one_of(Rail), required=True)
    discounts = fields.List(fields.Dict(), required=True)
    fee_ordinance = fields.String(allow_none=True)
    cancellation = one_of(Cancellation, required=True)
    service_level = fields.List(fields.Dict(), allow_none=True)
    promises = fields.List(
        fields.Nested(PromiseView),
        metadata={"description": "cancellation and service level as sentences in Japanese and English"},
    )
    buyer_organization_id = fields.String(allow_none=True)
    valid_until = Instant(allow_none=True)
    shares = fields.List(
        fields.Dict(), metadata={"description": "shown to those who share and to overseers: who gets which part"}
    )
    duration_days = fields.Integer(allow_none=True)
    quota_bytes = fields.Integer(allow_none=True)
    quota_downloads = fields.Integer(allow_none=True)
    quota_rows = fields.Integer(allow_none=True)
    quota_requests = fields.Integer(allow_none=True)
    quota_streams = fields.Integer(allow_none=True)
    release_scope = one_of(ReleaseScope, required=True)
    version = fields.Integer(required=True)
    supersedes = fields.String(allow_none=True)
    state = one_of(OfferState, required=True)
    created_at = Instant(required=True)


class OfferQuery(PageQuery):
    """Which offers."""

    dataset_id = identifier("ds", required=True)


class OrderDraft(Strict):
    """An order: an offer, the terms the buyer accepts by their name, how it is paid, what is asked off the price."""

    offer_id = identifier("ofr", required=True)
    accept_terms_sha256 = fields.String(required=True, validate=SHA256)
    rail = line(40, metadata={"description": "one of the offer's `rails`; the first that carries the amount if absent"})
    eligibility_id = identifier(
        "elg", metadata={"description": "a granted eligibility for one of the offer's discounts"}
    )
    coupon_code = line(100)


class SlipDraft(Strict):
    """A payment slip (納付書) that was paid outside: its number, the day, and the ordinance (条例) behind the fee."""

    number = line(40, required=True)
    paid_on = fields.Date(required=True)
    ordinance = line(200, required=True)


class OrderView(Schema):
    """An order with where to pay it, and the grant once it is fulfilled."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    offer_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    terms_sha256 = fields.String(required=True)
    price_kind = one_of(PriceKind, required=True)
    rail = fields.String(allow_none=True, metadata={"description": "how it is paid; null where nothing is to be paid"})
    rail_wished = fields.String(
        allow_none=True, metadata={"description": "what the buyer asked for; renewals after a trial are paid so"}
    )
    trial_days = fields.Integer(required=True, metadata={"description": "the trial of this order; an offer has one"})
    list_net_yen = fields.Integer(required=True, metadata={"description": "before `deductions`, which come before tax"})
    deductions = fields.List(fields.Dict(), required=True)
    amount_net_yen = fields.Integer(required=True)
    amount_tax_yen = fields.Integer(required=True)
    amount_gross_yen = fields.Integer(required=True)
    state = one_of(OrderState, required=True)
    created_at = Instant(required=True)
    paid_at = Instant(
        allow_none=True, metadata={"description": "null while an order delivered on credit has its invoice open"}
    )
    subscription_id = fields.String(allow_none=True)
    term_number = fields.Integer(allow_none=True)
    term_from = fields.Date(allow_none=True)
    term_to = fields.Date(allow_none=True)
    slip_number = fields.String(allow_none=True)
    slip_paid_on = fields.Date(allow_none=True)
    slip_ordinance = fields.String(allow_none=True)
    payment_state = fields.String(allow_none=True)
    checkout_url = fields.String(allow_none=True)
    grant_id = fields.String(allow_none=True)
    invoice_id = fields.String(allow_none=True)


class InvoiceView(Schema):
    """An invoice; qualified (適格請求書) where it bears a registration number."""

    id = fields.String(required=True)
    number = fields.String(required=True)
    kind = one_of(InvoiceKind, required=True)
    issuer_organization_id = fields.String(required=True)
    issuer_name_ja = fields.String(required=True)
    issuer_name_en = fields.String(required=True)
    registration_number = fields.String(allow_none=True)
    recipient_organization_id = fields.String(required=True)
    recipient_name_ja = fields.String(required=True)
    recipient_name_en = fields.String(required=True)
    order_id = fields.String(allow_none=True)
    period_from = fields.Date(allow_none=True)
    period_to = fields.Date(allow_none=True)
    transaction_on = fields.Date(required=True)
    issued_on = fields.Date(required=True)
    lines = fields.List(fields.Dict(), required=True)
    rate_totals = fields.List(fields.Dict(), required=True)
    amount_net_yen = fields.Integer(required=True)
    amount_tax_yen = fields.Integer(required=True)
    amount_gross_yen = fields.Integer(required=True)
    paid_yen = fields.Integer(required=True)
    credited_yen = fields.Integer(required=True)
    due_on = fields.Date(allow_none=True)
    dunning = one_of(Dunning, required=True)
    state = one_of(InvoiceState, required=True)
    paid_at = Instant(allow_none=True)
    checkout_url = fields.String(allow_none=True)


class GrantView(Schema):
    """What an organization may fetch, until when, and how much is left."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    order_id = fields.String(required=True)
    offer_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    terms_sha256 = fields.String(required=True)
    state = one_of(Standing, required=True)
    starts_at = Instant(required=True)
    expires_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)
    revoked_reason = fields.String(allow_none=True)
    quota = fields.Dict(allow_none=True)


class GrantFileView(Schema):
    """A file that a grant opens."""

    release_id = fields.String(required=True)
    name = fields.String(required=True)
    media_type = fields.String(required=True)
    sha256 = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    url = fields.String(required=True)
    held_by = fields.String(
        metadata={"enum": ["exchange", "provider"], "description": "the provider: fetching answers with a redirect"}
    )


class UsageQuery(PageQuery):
    """Which usage; days are Japanese and both included."""

    grant_id = identifier("grt")
    dataset_id = identifier("ds")
    from_on = fields.Date()
    to_on = fields.Date()


class UsageLineView(Schema):
    """One grant's usage on one day: `bytes_acked` arrived; what of the rest is charged the price says.

    `downloads_new` are the downloads that fell due, counted only where the price counts them. Bytes received before
    are not new; the rows are those in new bytes.
    """

    day = fields.Date(required=True)
    grant_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    bytes_new = fields.Integer(required=True)
    bytes_acked = fields.Integer(required=True)
    rows_new = fields.Integer(required=True)
    requests = fields.Integer(required=True)
    downloads_new = fields.Integer(required=True)
    deliveries = fields.Integer(required=True)


class UsagePage(Schema):
    """Lines of a statement, and the sums of the whole of it."""

    items = fields.List(fields.Nested(UsageLineView), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    total_bytes = fields.Integer(required=True)
    total_bytes_acked = fields.Integer(required=True)
    total_rows = fields.Integer(required=True)
    total_requests = fields.Integer(required=True)
    total_downloads = fields.Integer(required=True)
    total_deliveries = fields.Integer(required=True)


class SettlementDraft(Strict):
    """Until when usage is billed; now when absent."""

    until = Instant()


class SettlementView(Schema):
    """The invoices that a settlement issued."""

    until = Instant(required=True)
    invoices = fields.List(fields.Nested(InvoiceView), required=True)


TermsPage = page_of(TermsView)
OfferPage = page_of(OfferView)
OrderPage = page_of(OrderView)
InvoicePage = page_of(InvoiceView)
GrantPage = page_of(GrantView)
