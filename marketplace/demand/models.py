"""Tables of demand: requests, who follows and pledges, what providers answer, who was told, what prices were."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.demand.states import AnswerKind, Event, RequestState
from marketplace.identity.models import one_of
from marketplace.kit.db import Model

_LIVE = "state IN ('open', 'answered')"


class DataRequest(Model):
    """What an organization needs, in its own words. ``tokens``: these words and their meanings, by which it is found.

    ``pledged_organizations`` and ``pledged_yen`` are what is shown of its pledges, as of ``pledged_at``.
    """

    __tablename__ = "data_request"
    __table_args__ = (
        CheckConstraint(one_of("state", RequestState), name="state"),
        CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="region"),
        CheckConstraint("period_from <= period_to", name="period"),
        CheckConstraint("budget_yen > 0", name="budget_yen"),
        CheckConstraint("num_nonnulls(pledged_organizations, pledged_yen, pledged_at) IN (0, 3)", name="pledged"),
        CheckConstraint("(state = 'merged') = (merged_into_id IS NOT NULL)", name="merged"),
        CheckConstraint(f"({_LIVE}) = (ended_at IS NULL)", name="ended_at"),
        Index("ix_data_request_state_id", "state", "id"),
        Index("ix_data_request_organization_id_id", "organization_id", "id"),
        Index("ix_data_request_deadline_live", "deadline", postgresql_where=text(_LIVE)),
        Index("ix_data_request_tokens", "tokens", postgresql_using="gin"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    shows_name: Mapped[bool]
    state: Mapped[str]
    title: Mapped[str]
    problem: Mapped[str]
    theme: Mapped[str]
    region: Mapped[str]
    period_from: Mapped[date | None] = mapped_column(Date)
    period_to: Mapped[date | None] = mapped_column(Date)
    detail: Mapped[str]
    budget_yen: Mapped[int | None] = mapped_column(BigInteger)
    deadline: Mapped[date] = mapped_column(Date)
    tokens: Mapped[list[str]] = mapped_column(ARRAY(Text))
    pledged_organizations: Mapped[int | None] = mapped_column(Integer)
    pledged_yen: Mapped[int | None] = mapped_column(BigInteger)
    pledged_at: Mapped[datetime | None]
    merged_into_id: Mapped[str | None] = mapped_column(ForeignKey("data_request.id"))
    withheld: Mapped[bool]
    closing_words: Mapped[str | None]
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class RequestFollower(Model):
    """An organization that wants to hear what becomes of a request."""

    __tablename__ = "data_request_follower"
    __table_args__ = (Index("ix_data_request_follower_organization_id", "organization_id", "request_id"),)

    request_id: Mapped[str] = mapped_column(ForeignKey("data_request.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    created_at: Mapped[datetime]


class RequestPledge(Model):
    """What an organization says it would pay; no debt. Zero is a pledge that was taken back.

    ``shown_yen`` is what is in the sum that is shown of the request.
    """

    __tablename__ = "data_request_pledge"
    __table_args__ = (CheckConstraint("amount_yen >= 0 AND shown_yen >= 0", name="amounts"),)

    request_id: Mapped[str] = mapped_column(ForeignKey("data_request.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    shown_yen: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]


class RequestAnswer(Model):
    """What a provider answers; the price of a quote is for the requester alone. ``chosen_at``: it met the request."""

    __tablename__ = "data_request_answer"
    __table_args__ = (
        CheckConstraint(one_of("kind", AnswerKind), name="kind"),
        CheckConstraint("amount_yen > 0", name="amount_yen"),
        CheckConstraint(
            "num_nonnulls(amount_yen, valid_until) = CASE kind WHEN 'quote' THEN 2 ELSE 0 END", name="quote"
        ),
        CheckConstraint("kind <> 'listing' OR dataset_id IS NOT NULL", name="listing"),
        Index("ix_data_request_answer_request_id_id", "request_id", "id"),
        Index(
            "uq_data_request_answer_listing",
            "request_id",
            "dataset_id",
            unique=True,
            postgresql_where=text("kind = 'listing' AND withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("data_request.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[str]
    words: Mapped[str]
    amount_yen: Mapped[int | None] = mapped_column(BigInteger)
    valid_until: Mapped[date | None] = mapped_column(Date)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    chosen_at: Mapped[datetime | None]


class RequestNotice(Model):
    """That an organization is told of an event, once; ``about`` is the answer, or the request it was merged into."""

    __tablename__ = "data_request_notice"
    __table_args__ = (
        CheckConstraint(one_of("event", Event), name="event"),
        Index("uq_data_request_notice_event", "request_id", "organization_id", "event", "about", unique=True),
        Index("ix_data_request_notice_organization_id_id", "organization_id", "id"),
        Index("ix_data_request_notice_id_unmailed", "id", postgresql_where=text("mailed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("data_request.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    event: Mapped[str]
    about: Mapped[str]
    created_at: Mapped[datetime]
    mailed_at: Mapped[datetime | None]


class ProviderTelling(Model):
    """How a provider hears of new requests: up to when it was told, on which day, and whether by letter, too."""

    __tablename__ = "provider_telling"

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    wants_letters: Mapped[bool]
    told_until: Mapped[datetime | None]
    told_on: Mapped[date | None] = mapped_column(Date)


class PriceGuide(Model):
    """What comparable deals cost, counted once a month: quartiles, rounded, in yen before tax.

    ``region`` is ``JP`` or two digits of a prefecture; ``deals_min`` and ``buyers_min`` are the lower ends of bands.
    """

    __tablename__ = "price_guide"
    __table_args__ = (
        CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),
        CheckConstraint("0 < lower_yen AND lower_yen <= median_yen AND median_yen <= upper_yen", name="quartiles"),
    )

    month: Mapped[str] = mapped_column(primary_key=True)
    theme: Mapped[str] = mapped_column(primary_key=True)
    price_kind: Mapped[str] = mapped_column(primary_key=True)
    region: Mapped[str] = mapped_column(primary_key=True)
    deals_min: Mapped[int] = mapped_column(Integer)
    buyers_min: Mapped[int] = mapped_column(Integer)
    lower_yen: Mapped[int] = mapped_column(BigInteger)
    median_yen: Mapped[int] = mapped_column(BigInteger)
    upper_yen: Mapped[int] = mapped_column(BigInteger)
