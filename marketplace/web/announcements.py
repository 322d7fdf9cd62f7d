"""The desk of announcements (要旨): writing one, saying it anew, giving it up, making it a dataset."""

from typing import Any

from flask import Response, request

from marketplace.catalog import rules as lengths
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.states import THEME_LABELS, Theme
from marketplace.catalog.teasers import queries, rules, service
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.catalog.teasers.states import TEASER_STATE_LABELS, TeaserState
from marketplace.exchange import announcing
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import Conflict, Invalid, NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import fields, forms
from marketplace.web.addresses import see
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render_private

blp = blueprint("announcements")
OWN = "/organization/teasers"
PLAIN = ("title_ja", "title_en", "description_ja", "description_en", "region")
FIELDS = (*PLAIN, "expected_on", "price_from_yen", "price_to_yen", "columns")
TICKS = tuple(f"theme_{theme.value}" for theme in Theme)
IN_A_LINE = ("name", "label_ja", "label_en", "unit")
Form = dict[str, str]


@blp.get(OWN)
@guarded(Permission.DATASETS_READ)
def list_own() -> Response:
    """List one's own announcements with the form for another one; overseers see all."""
    return _desk()


@blp.post(OWN)
@guarded(Permission.DATASETS_WRITE)
def announce() -> Response:
    """Announce a dataset to everybody."""
    form = forms.read(*FIELDS, *TICKS)
    try:
        with transaction():
            teaser_id = service.announce(_actor(), _draft(form)).id
    except Invalid as refusal:
        return _desk(refusal, form)
    return see(_address(teaser_id))


@blp.get(f"{OWN}/<teaser_id>")
@guarded(Permission.DATASETS_READ)
def show(teaser_id: str) -> Response:
    """Show an announcement of one's own with what can be done with it."""
    return _page(teaser_id)


@blp.post(f"{OWN}/revise")
@guarded(Permission.DATASETS_WRITE)
def revise() -> Response:
    """Say an announcement anew, as long as nobody said it anew in between."""
    form = forms.read("teaser_id", "version", *FIELDS, *TICKS)
    try:
        with transaction():
            known = queries.get_own_teaser(_actor(), form["teaser_id"])
            service.revise(_actor(), known.id, _draft(form, known), _version(form["version"]))
    except (Conflict, Invalid) as refusal:
        return _page(form["teaser_id"], refusal, form)
    return see(_address(form["teaser_id"]))


@blp.post(f"{OWN}/withdraw")
@guarded(Permission.DATASETS_WRITE)
def withdraw() -> Response:
    """Give an announced dataset up."""
    form = forms.read("teaser_id")
    try:
        with transaction():
            service.withdraw(_actor(), form["teaser_id"])
    except Conflict as refusal:
        return _page(form["teaser_id"], refusal)
    return see(_address(form["teaser_id"]))


@blp.post(f"{OWN}/dataset")
@guarded(Permission.DATASETS_WRITE)
def become() -> Response:
    """Make an announcement a draft dataset, or name one of one's own."""
    form = forms.read("teaser_id", "dataset_id")
    try:
        with transaction():
            announcing.become(_actor(), form["teaser_id"], form["dataset_id"].strip() or None)
    except Conflict as refusal:
        return _page(form["teaser_id"], refusal)
    return see(_address(form["teaser_id"]))


def _actor() -> Actor:
    return login.actor_of(session())


def _address(teaser_id: str) -> str:
    return link(f"{OWN}/{path_part(teaser_id)}")


def _desk(refusal: Refusal | None = None, form: Form | None = None) -> Response:
    actor = _actor()
    page = queries.list_teasers(actor, cursor=(request.args.get("cursor") or "")[:CURSOR_MAX] or None)
    return render_private(
        "announcements.html",
        status=refusal.status if refusal else 200,
        teasers=[announcing.shown(one, actor) for one in page.items],
        following=link(OWN, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        said=form or {},
        **_words(actor, refusal),
    )


def _page(teaser_id: str, refusal: Refusal | None = None, form: Form | None = None) -> Response:
    actor = _actor()
    teaser = queries.get_own_teaser(actor, teaser_id)
    return render_private(
        "announcement.html",
        status=refusal.status if refusal else 200,
        one=announcing.shown(teaser, actor),
        said=form or _typed(teaser),
        **_words(actor, refusal),
    )


def _words(actor: Actor, refusal: Refusal | None) -> dict[str, Any]:
    return {
        "organization": identity.get_organization(actor.organization_id),
        "manages": may(actor, Permission.DATASETS_WRITE),
        "own_id": actor.organization_id,
        "trouble": fields.trouble(refusal),
        "states": {one.value: say(*TEASER_STATE_LABELS[one]) for one in TeaserState},
        "themes": {theme.value: say(THEME_LABELS[theme].ja, THEME_LABELS[theme].en) for theme in Theme},
        "lengths": {"title": lengths.TITLE_LENGTH_MAX, "description": lengths.DESCRIPTION_LENGTH_MAX},
    }


def _draft(form: Form, known: Any = None) -> TeaserDraft:
    expected_on = fields.day(form["expected_on"], "expected_on")
    if expected_on is None:
        raise fields.wrong("expected_on", "must be a day")
    return TeaserDraft(
        **{name: form[name].strip() for name in PLAIN if name != "region"},
        region=form["region"].strip() or "JP",
        themes=tuple(theme for theme in Theme if form[f"theme_{theme.value}"] == "yes"),
        expected_on=expected_on,
        columns=_columns(form["columns"], known.columns if known else []),
        price_from_yen=fields.yen(form["price_from_yen"], "price_from_yen", rules.PRICE_YEN_MAX),
        price_to_yen=fields.yen(form["price_to_yen"], "price_to_yen", rules.PRICE_YEN_MAX),
    )


def _columns(text: str, known: list[dict[str, Any]]) -> tuple[ColumnNote, ...]:
    """Return the columns of lines such as ``人数 | 歩行者数 | Passers-by | 人``; what no line says is kept."""
    kept = {note["name"]: note for note in known}
    notes = []
    for line in filter(None, map(str.strip, text.splitlines())):
        parts = [part.strip() for part in line.split("|")]
        if len(parts) > len(IN_A_LINE):
            raise fields.wrong("columns", "must be a name, two labels and a unit in each line")
        said = dict(zip(IN_A_LINE, [*parts, "", "", ""], strict=False))
        notes.append(ColumnNote(**kept.get(said["name"], {}) | said))
    return tuple(notes)


def _typed(teaser: Any) -> Form:
    """Return an announcement as its form would have been filled."""
    columns = "\n".join(" | ".join(note[name] for name in IN_A_LINE).rstrip(" |") for note in teaser.columns)
    numbers = {name: getattr(teaser, name) for name in ("price_from_yen", "price_to_yen")}
    typed = {name: getattr(teaser, name) for name in PLAIN} | {f"theme_{theme}": "yes" for theme in teaser.themes}
    typed |= {name: "" if number is None else str(number) for name, number in numbers.items()}
    return typed | {
        "columns": columns,
        "expected_on": teaser.expected_on.isoformat(),
        "version": str(teaser.version),
    }


def _version(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise NotFound
    return int(text)
