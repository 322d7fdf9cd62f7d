"""Adopting: the record of an exchange that another operator ran, taken over with its proofs intact.

The archive is judged by ``verify_audit.py``, the very program that strangers use, in a process of its own: what it
says is what anybody will be told who verifies the archive again. Only the keys count that were given.
"""

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from marketplace.audit.adopted import queries, receipts, service
from marketplace.audit.adopted.archive import Archive
from marketplace.audit.adopted.errors import RecordDamaged, RecordRefused
from marketplace.audit.adopted.models import AdoptedRecord
from marketplace.audit.adopted.receipts import AdoptedReceipt
from marketplace.delivery.errors import BytesMissing
from marketplace.delivery.stores.local import LocalStore
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, settings
from marketplace.kit.notes import VerifierKey

_PACKAGE = Path(__file__).resolve().parents[1]
# Installed from a wheel, the program lies inside the package; in a checkout, beside it.
_SHIPPED = _PACKAGE / "_verify_audit.py"
VERIFIER = _SHIPPED if _SHIPPED.is_file() else _PACKAGE.parent / "verify_audit.py"
CHUNK_BYTES = 2**20
WORDS_MAX = 2000
_ABANDONED = timedelta(days=1)


def adopt(path: Path, keys: Sequence[VerifierKey]) -> tuple[AdoptedRecord, bool]:
    """Verify an archive and take its record over; False if that was done before, of the same bytes.

    To be called in a transaction. Raises RecordRefused with the verifier's words, or StorageFull; nothing of the
    archive is kept then.
    """
    archives = _archives()
    archives.clear_abandoned(clock.now() - _ABANDONED)
    with path.open("rb") as file:
        pieces = iter(partial(file.read, CHUNK_BYTES), b"")
        with archives.draft(pieces, path.stat().st_size) as (draft, stored), draft.open("rb") as copy:
            _require_sound(draft, keys)
            archive = Archive(copy)
            if not archive.is_signed_whole():
                raise RecordRefused("Entries in it wait for a signature, so that nobody vouches for them.")
            return service.take_in(SYSTEM, archive, stored.sha256, keys)


def get_receipt(record_id: str, entry_id: str) -> AdoptedReceipt:
    """Return the receipt of a deed at the exchange of before; raises NotFound and RecordDamaged."""
    record = queries.get_record(record_id)
    try:
        file = _archives().open(record.sha256)
    except BytesMissing as error:
        raise RecordDamaged from error
    with file:
        return receipts.read(record, file, entry_id)


def _archives() -> LocalStore:
    return LocalStore(settings.current().adopted_dir)


def _require_sound(path: Path, keys: Sequence[VerifierKey]) -> None:
    command = [sys.executable, "-I", "-X", "utf8", str(VERIFIER), *(f"--key={key.text}" for key in keys), str(path)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if run.returncode == 0:
        return
    said = run.stdout.splitlines() or run.stderr.splitlines()
    wrong = [_plain(line) for line in said if line.startswith("WRONG ")]
    raise RecordRefused(_plain(said[-1]) if said else "The verifier ended without a word.", verifier=wrong)


def _plain(words: str) -> str:
    """Return what was said without what would steer a terminal: parts of it are a stranger's words."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in words[:WORDS_MAX])
