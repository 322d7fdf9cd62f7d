"""The public register on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, one_of, page_of
from marketplace.disclosure.states import Showing
from marketplace.identity.states import OrganizationKind
from marketplace.privacy.states import ListingCondition, PrivacyClass


class RegisterFiguresView(Schema):
    """How much, or null where it is hidden: `few` are fewer than the threshold, `withheld` keeps those a secret.

    Beside a hidden figure, and where few have a part in an amount, `shown` tells of buyers alone; the others are null.
    """

    showing = one_of(Showing, required=True)
    buyers = fields.Integer(
        required=True, allow_none=True, metadata={"description": "organizations, counted once for each dataset"}
    )
    trades = fields.Integer(required=True, allow_none=True)
    yen = fields.Integer(
        required=True, allow_none=True, metadata={"description": "before tax, less what was given back"}
    )
    bytes = fields.Integer(required=True, allow_none=True)


class RegisterKindView(RegisterFiguresView):
    """What one class of buyers did."""

    kind = one_of(OrganizationKind, required=True)


class RegisterTermsView(Schema):
    """Terms under which everybody could buy the dataset in the month, with what they bind the class of data to."""

    sha256 = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    contract_type = fields.String(required=True)
    purposes = fields.List(fields.String(), required=True)
    privacy_class = one_of(PrivacyClass, required=True)
    conditions = fields.List(
        one_of(ListingCondition),
        required=True,
        metadata={"description": "what must hold while data of this class is offered"},
    )


class RegisterDatasetView(Schema):
    """A dataset, as the catalogue names it."""

    id = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)


class RegisterProviderView(Schema):
    """Whoever provides a dataset."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)


class RegisterAssessmentView(Schema):
    """Where the provider says that the privacy impact assessment of a dataset can be read."""

    url = fields.String(required=True)


class RegisterLineView(RegisterFiguresView):
    """One dataset in one month; null for all together that the catalogue has no more."""

    dataset = fields.Nested(RegisterDatasetView, required=True, allow_none=True)
    provider = fields.Nested(RegisterProviderView)
    terms = fields.List(fields.Nested(RegisterTermsView), required=True)
    price_classes = fields.List(fields.String(), required=True)
    assessment = fields.Nested(
        RegisterAssessmentView, required=True, allow_none=True, metadata={"description": "null where none is named"}
    )
    kinds = fields.List(
        fields.Nested(RegisterKindView),
        required=True,
        allow_none=True,
        metadata={"description": "null where telling them would give a few away"},
    )


class RegisterMonthView(RegisterFiguresView):
    """One month in Japan, published once and never changed."""

    month = fields.String(required=True)
    threshold = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    published_at = Instant(required=True)
    datasets_listed = fields.Integer(required=True)
    datasets_told = fields.Boolean(required=True)


class RegisterView(Schema):
    """The months that were published last, newest first."""

    items = fields.List(fields.Nested(RegisterMonthView), required=True)


RegisterLinePage = page_of(RegisterLineView)
