"""Witnessing: others are shown each checkpoint, and sign it if it only adds to what they saw before."""

import base64
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from marketplace.audit import checkpoints, sequencer
from marketplace.audit.models import Checkpoint
from marketplace.kit import clock, jobs, merkle, notes, settings
from marketplace.kit.notes import BadNote, VerifierKey
from marketplace.kit.outbound import Deadline, OutboundTooSlow
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 64 * 1024
_CONFLICT, _UNPROCESSABLE, _OK = 409, 422, 200
_SIZE = re.compile(r"[0-9]{1,19}", re.ASCII)


class Outcome(StrEnum):
    """What came of showing a witness the newest checkpoint."""

    SIGNED = "signed"
    SEEN = "signed before"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"


class Witness(NamedTuple):
    """Where a witness is asked, and the key it signs with."""

    address: str
    key: VerifierKey


def witnesses() -> Iterator[Witness]:
    """Yield the witnesses of the settings."""
    for one in settings.current().log_witnesses:
        yield Witness(*notes.read_witness(one))


@jobs.task("audit.feed", cron="* * * * *", foreign=True)
def feed_all() -> None:
    """Show every witness the newest checkpoint, every minute; tell where too few have signed for too long."""
    feed()
    if since := lapsed_since():
        log.error("too few witnesses have signed what the record was since %s", clock.text(since))


def lapsed_since() -> datetime | None:
    """Return since when checkpoints wait for enough witnesses, where it is for longer than the settings allow."""
    policy = checkpoints.policy()
    if policy is None:
        return None
    with transaction():
        since = checkpoints.unwitnessed_since(policy)
    return since if since and clock.now() - since > policy.within else None


def feed() -> dict[str, Outcome]:
    """Show every witness the newest checkpoint; returns what came of it, by name."""
    return {witness.key.name: _show(witness) for witness in witnesses()}


def _show(witness: Witness) -> Outcome:
    with transaction():
        checkpoint, seen = checkpoints.latest(), checkpoints.size_seen_by(witness.key)
    if checkpoint is None or seen >= checkpoint.size:
        return Outcome.SEEN
    status, text = _submit(witness, checkpoint, seen)
    if status == _CONFLICT and _SIZE.fullmatch(text.strip()):
        # It has seen more of us, or less, than we know: a backup of either side was restored, or we have grown
        # meanwhile and another has shown it.
        checkpoint = _newest(checkpoint)
        if int(text) <= checkpoint.size:
            status, text = _submit(witness, checkpoint, int(text))
    if status == _OK:
        return _keep(witness, checkpoint, text)
    if status in {_CONFLICT, _UNPROCESSABLE}:
        log.error("the witness %s has seen another record than ours: %d %s", witness.key.name, status, text[:200])
        return Outcome.REFUSED
    log.warning("the witness %s does not sign: %d %s", witness.key.name, status, text[:200])
    return Outcome.REFUSED if status else Outcome.UNREACHABLE


def _newest(known: Checkpoint) -> Checkpoint:
    with transaction():
        return checkpoints.latest() or known


def _submit(witness: Witness, checkpoint: Checkpoint, old: int) -> tuple[int, str]:
    """Return status and body of its answer; 0 where there is none."""
    with transaction():
        path = sequencer.over_tree(partial(merkle.consistency, old, checkpoint.size))
    steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in path)
    body = f"old {old}\n{steps}\n{checkpoint.note}".encode()
    try:
        return _posted(f"{witness.address}/add-checkpoint", body)
    except (HTTPError, OutboundTooSlow) as error:
        return 0, str(error)


def _posted(address: str, body: bytes) -> tuple[int, str]:
    """Post something; whoever answers a byte at a time is cut off at the same moment as who does not answer."""
    pool = urllib3.connection_from_url(address, retries=False, timeout=TIMEOUT_SECONDS)
    with pool, Deadline(pool, TIMEOUT_SECONDS) as deadline:
        try:
            answer = pool.request(
                "POST", urlsplit(address).path, body=body, redirect=False, preload_content=False, decode_content=False
            )
            text = answer.read(ANSWER_BYTES_MAX).decode(errors="replace")
        finally:
            deadline.check()
        answer.close()
        return answer.status, text


def _keep(witness: Witness, checkpoint: Checkpoint, lines: str) -> Outcome:
    """Keep its signature, if it is one: what else it sends is nobody's."""
    try:
        # One line is kept, so one is believed: the next of the same key may tell another time.
        signatures = notes.read_signatures(lines)
        mine = next(one for one in signatures if (one.name, one.key_id) == (witness.key.name, witness.key.id))
        seen_at = witness.key.signed_at(notes.read(checkpoint.note).text, mine.value)
        witnessed_at = datetime.fromtimestamp(seen_at or 0, UTC)
    except (BadNote, StopIteration, ValueError, OverflowError):
        log.warning("the witness %s answers with something else than its signature", witness.key.name)
        return Outcome.REFUSED
    with transaction():
        checkpoints.keep_cosignature(checkpoint, witness.key, mine, witnessed_at)
    return Outcome.SIGNED
