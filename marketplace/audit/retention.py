"""What may be deleted when: the one table. What is not in it is never deleted by the exchange."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Some rows or bytes, how long they stay, and the job that deletes them; a hold stops it where ``held_by`` says so.

    ``held_by`` names whose holds count: none where nothing in the rows says whose they are.
    """

    job: str
    what: str
    stays: str
    held_by: str = "–"


RETENTION = (
    Kept("identity.lapse_applications", "applications that nobody confirmed", "48 hours", "organization"),
    Kept("identity.forget_tokens", "access tokens", "until they run out", "organization"),
    Kept(
        "identity.forget_families",
        "consents of people to programs, with refresh tokens",
        "a day after their end",
        "organization",
    ),
    Kept("identity.forget_codes", "authorization codes", "a day after they run out", "organization"),
    Kept("identity.forget_registration_tokens", "initial access tokens", "a day after their end", "organization"),
    Kept("identity.forget_invitations", "invitations", "a day after they run out", "organization"),
    Kept("identity.forget_challenges", "links mailed to check an address", "a day after they run out", "organization"),
    Kept("identity.forget_devices", "device codes", "an hour after they run out", "organization"),
    Kept("identity.forget_requests", "pushed and pending authorization requests", "until they run out", "organization"),
    Kept("identity.forget_proofs", "marks of spent proofs", "until they run out"),
    Kept("identity.forget_failures", "counts of failed sign-ins", "until their window ends"),
    Kept("identity.forget_attempts", "sign-ins half done", "until they run out", "organization"),
    Kept(
        "identity.forget_sessions",
        "browser sessions",
        "until they run out; a day after they are ended",
        "organization",
    ),
    Kept(
        "catalog.uploads_expired",
        "uploads that nobody went on with",
        "MARKETPLACE_UPLOAD_KEPT_HOURS",
        "organization, dataset",
    ),
    Kept(
        "catalog.forget_harvest_lines",
        "what became of each record in a harvest that a whole one has followed; the run stays",
        "MARKETPLACE_HARVEST_LINES_KEPT_DAYS",
        "organization, dataset",
    ),
    Kept(
        "catalog.dispose_due",
        "bytes of files that were removed or hold My Numbers, and bytes that no file came to name",
        "until nothing needs them; a day where no file named them",
        "organization, dataset",
    ),
    Kept("access.forget_tickets", "download tickets", "a day after issue", "organization"),
    Kept("delivery.tidy", "bytes of uploads that died", "a day"),
    Kept("audit.looks.forget", "what tells auditors' repeated looks apart; the record keeps the looks", "their day"),
    Kept("audit.watch", "what anomaly rules remember of the record, where it is over", "a week or 30 days"),
    Kept("mail.forget", "letters", "a week after they were sent, four weeks unsent", "organization"),
    Kept("webhooks.forget", "events told to webhooks, with their messages", "30 days", "organization"),
    Kept("idempotency.forget", "answers under idempotency keys", "30 days", "organization"),
)

NEVER = (
    (
        "the record, its tree and its checkpoints; [adopted](handover.md) records",
        "for ever; triggers refuse deletion",
    ),
    ("ledger, orders, payments, invoices, payouts", "for ever"),
    (
        "documents (帳票)",
        "until `retain_until` ([below](#documents-seven-years-or-more)), and longer under a hold; a trigger sees to it",
    ),
    (
        "grants, deliveries, receipts, usage, days of agents",
        "for ever; months of usage events are put aside whole, never deleted",
    ),
    ("terms, acceptances, offers", "for ever"),
    (
        "datasets, releases, files and their bytes",
        "for ever; withdrawing hides them. Files that a draft loses, or that hold My Numbers, see above",
    ),
    (
        "incidents and who was told, legal holds, notes in [cases](oversight.md), deeds of two people",
        "for ever; triggers refuse deletion, and any change once they are over",
    ),
)
"""What no job deletes, and for how long a person with the database's own tools must leave it."""


def table() -> list[str]:
    """Return the lines of the tables in docs/retention.md."""
    head = ["| job | what it deletes | stays | whose hold stops it |", "|---|---|---|---|"]
    rows = [f"| `{one.job}` | {one.what} | {one.stays} | {one.held_by} |" for one in RETENTION]
    never = ["", "| what no job deletes | how long |", "|---|---|"]
    return [*head, *rows, *never, *(f"| {what} | {how_long} |" for what, how_long in NEVER)]
