"""Payouts: drawing what providers earned, approving, sending it to the bank, and noting what became of it."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from marketplace.api.endpoint import actor, blueprint, created, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import payouts as schemas
from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.states import PayoutState
from marketplace.exchange import payout as story
from marketplace.identity.permissions import Permission

blp = blueprint("payouts", "/v1", "Payouts to providers (送金) and the payable report.")
ENCODING = "cp932"
FILE = {"200": {"description": "総合振込 as CSV in CP932", "content": {"text/csv": {}}}}


@blp.route("/payables")
@guarded(Permission.PAYOUTS_READ)
@blp.response(200, schemas.PayablesView)
def list_payables() -> Any:
    """Read what every provider may draw or owes, and what is pending; a provider reads its own."""
    return {"items": queries.payables(actor())}


@blp.route("/payouts")
@guarded(Permission.PAYOUTS_READ)
@blp.arguments(schemas.PayoutQuery, location="query")
@blp.response(200, schemas.PayoutPage)
def list_payouts(query: dict[str, Any]) -> Any:
    """List one's payouts, newest first; overseers see all."""
    state = query.pop("state", None)
    return queries.list_payouts(actor(), **query, state=PayoutState(state) if state else None)


@blp.route("/payouts", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.arguments(schemas.PayoutDrawing)
@blp.response(201, schemas.PayoutsView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def draw(drawing: dict[str, Any]) -> Any:
    """Draw what a provider may draw, or each of them may; above a threshold a second person approves it."""
    caller, provider_id = actor(), drawing.get("organization_id")

    def deed() -> dict[str, Any]:
        drawn = [service.draw(caller, provider_id)] if provider_id else story.draw_all(caller)
        return {"payout_ids": [payout.id for payout in drawn]}

    answer, replayed = once(drawing, deed)
    drawn = [queries.get_payout(caller, payout_id) for payout_id in answer["payout_ids"]]
    return {"items": drawn}, 201, replay_mark(replayed)


@blp.route("/payouts/claims", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.arguments(schemas.PayoutClaim)
@blp.response(201, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def claim(wish: dict[str, Any]) -> Any:
    """Ask a provider to pay what it owes beyond what it earned, with a commission invoice over it."""
    caller = actor()
    answer, replayed = once(wish, lambda: {"id": story.claim(caller, wish["organization_id"]).id})
    made = queries.get_payout(caller, answer["id"])
    return created(made, f"/v1/payouts/{made.id}", **replay_mark(replayed))


@blp.route("/payouts/<payout_id>")
@guarded(Permission.PAYOUTS_READ)
@blp.response(200, schemas.PayoutView)
def read(payout_id: str) -> Any:
    """Read a payout: its state says how far it is."""
    return queries.get_payout(actor(), payout_id)


@blp.route("/payouts/<payout_id>/approve", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.response(200, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def approve(payout_id: str) -> Any:
    """Approve a payout; above the threshold two persons must, and whoever drew it is one of them."""
    caller = actor()
    return _done({}, payout_id, lambda: service.approve(caller, payout_id))


@blp.route("/payouts/<payout_id>/cancel", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.response(200, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def cancel(payout_id: str) -> Any:
    """Call off a payout that nobody has sent; its earnings may be drawn again."""
    caller = actor()
    return _done({}, payout_id, lambda: service.cancel(caller, payout_id))


@blp.route("/payouts/<payout_id>/sent", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.response(200, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def note_sent(payout_id: str) -> Any:
    """Note that a payout is being transferred by hand; no file takes it, and nobody can call it off any more."""
    caller = actor()
    return _done({}, payout_id, lambda: story.note_sent(caller, payout_id))


@blp.route("/payouts/<payout_id>/paid", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.arguments(schemas.PaidNote)
@blp.response(200, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def note_paid(note: dict[str, Any], payout_id: str) -> Any:
    """Note that the bank has paid: the statement (仕入明細書) and the commission invoice are issued with it."""
    caller, paid_on = actor(), note["paid_on"]
    return _done(_told(note), payout_id, lambda: story.note_paid(caller, payout_id, paid_on))


@blp.route("/payouts/<payout_id>/failed", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.arguments(schemas.FailureNote)
@blp.response(200, schemas.PayoutView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def note_failed(note: dict[str, Any], payout_id: str) -> Any:
    """Note that the bank could not pay, or sent the money back; its earnings may be drawn again."""
    caller = actor()
    return _done(note, payout_id, lambda: story.note_failed(caller, payout_id, note["reason"]))


@blp.route("/payout-files", methods=["POST"])
@guarded(Permission.PAYOUTS_OPERATE)
@blp.arguments(schemas.PayoutFileDraft)
@blp.response(201, schemas.PayoutFileView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def make_file(draft: dict[str, Any]) -> Any:
    """Put all approved payouts by bank into one file of transfers; they are sent with that."""
    caller = actor()
    answer, replayed = once(_told(draft), lambda: {"id": service.put_in_file(caller, draft["transfer_on"]).id})
    file, sent = queries.get_file(answer["id"]), queries.list_of_file(answer["id"])
    shown = {name: getattr(file, name) for name in ("id", "transfer_on", "created_at")}
    shown |= {"payouts": len(sent), "amount_yen": sum(payout.amount_yen for payout in sent)}
    return created(shown, f"/v1/payout-files/{file.id}", **replay_mark(replayed))


@blp.route("/payout-files/<file_id>")
@guarded(Permission.PAYOUTS_FETCH)
@blp.doc(responses=FILE)
def read_file(file_id: str) -> Response:
    """Fetch a file of bank transfers (総合振込): the same bytes whenever asked."""
    answer = Response(story.file_text(file_id).encode(ENCODING), content_type="text/csv; charset=shift_jis")
    answer.headers["Content-Disposition"] = f'attachment; filename="{file_id}.csv"'
    return answer


def _done(body: dict[str, Any], payout_id: str, deed: Callable[[], Any]) -> Any:
    _answer, replayed = once(body, lambda: {"state": deed().state})
    return queries.get_payout(actor(), payout_id), 200, replay_mark(replayed)


def _told(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in body.items()}
