"""Policing: the part of a table that the terms of a grant give, made before its first byte; nothing else leaves.

The part is a content of its own. Every path delivers what a grant opens, so that none has to know of policies, and
what they hide is not there to be asked about.
"""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from marketplace.access import policed
from marketplace.access.policed import PART_JOB, Part, Waiting
from marketplace.access.rules import Entitlement
from marketplace.catalog import profiling, queries
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.models import File
from marketplace.catalog.states import ProfileState
from marketplace.catalog.upstreams import queries as upstreams
from marketplace.delivery import policing
from marketplace.delivery.policing import NotEnforceable
from marketplace.delivery.rows.errors import NotTabular
from marketplace.exchange import disposing, facilities, tabular
from marketplace.exchange.errors import PolicyNotEnforceable
from marketplace.kit import clock, installation_key, jobs
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.data_policy import DataPolicy

log = logging.getLogger(__name__)
PURPOSE = "hashed columns"
LEFT_AFTER = timedelta(minutes=30)
MEDIA_TYPES = {"csv": "text/csv", "tsv": "text/tab-separated-values", "parquet": "application/vnd.apache.parquet"}
_SHAPE = ("format", "encoding", "bom", "delimiter", "rows", "complete")
_COLUMN = ("name", "type", "format", "stored_type", "min", "max")


def require_enforceable(dataset_id: str, terms_id: str) -> None:
    """Refuse to offer a dataset under terms that its newest release, or its API, cannot keep.

    Raises PolicyNotEnforceable, which names each file.
    """
    policy = licensing.usage_terms(licensing.get_terms(terms_id)).data_policy
    if policy is None:
        return
    if upstreams.find_upstream(dataset_id) is not None:
        raise PolicyNotEnforceable("The dataset has an API, of whose answers no part can be given.")
    for release_id in queries.published_release_ids(dataset_id)[:1]:
        _require(release_id, [policy])


def require_publishable(dataset_id: str, release_id: str) -> None:
    """Refuse to publish a release of which an open offer gives a part that cannot be made; PolicyNotEnforceable."""
    _require(release_id, licensing.data_policies(dataset_id, open_only=True))


def _require(release_id: str, policies: list[DataPolicy]) -> None:
    faults = []
    for file in queries.list_files(release_id) if policies else ():
        reasons = {reason for policy in policies if (reason := _fault(policy, file))}
        faults += [{"pointer": "/terms_id", "detail": f"{file.name}: {reason}"} for reason in sorted(reasons)]
    if faults:
        raise PolicyNotEnforceable(errors=faults[:20])


def _fault(policy: DataPolicy, file: File) -> str | None:
    if file.origin_url is not None:
        return "The provider has the file, and no part of it can be made here."
    try:
        policing.recipe_of(policy, file.profile or {})
    except NotTabular as refusal:
        return refusal.title
    except NotEnforceable as reason:
        return str(reason)
    return None


@jobs.task(PART_JOB, slow=True)
def make_parts(source_sha256: str) -> None:
    """Make the parts of a content that grants wait for, each recipe once, each kept as soon as it is there."""
    while True:
        with transaction():
            waiting = policed.find_waiting(source_sha256)
            file = queries.find_profiled(source_sha256)
        if waiting is None:
            return
        try:
            part = _made(waiting, file)
        except (NotEnforceable, NotTabular) as reason:
            log.warning("of the content %s no part can be made: %s", source_sha256, type(reason).__name__)
            with transaction():
                policed.fail(waiting, str(reason))
            continue
        with transaction():
            policed.keep(waiting, part)
            disposals.named(part.sha256)
            if file is not None:
                tabular.ask(file.id, part.sha256)


@jobs.task("delivery.part_left", cron="43 * * * *")
def make_left() -> None:
    """Order parts again that were given up: without them their grants open nothing."""
    with transaction():
        policed.order_left(clock.now() - LEFT_AFTER)


def _made(waiting: Waiting, file: File | None) -> Part:
    if file is None or file.profile is None:
        raise NotEnforceable("The file is no table.")
    means = facilities.current()
    recipe = policing.recipe_of(waiting.policy, file.profile)
    limits = tabular.limits(means)
    with means.store.open(waiting.source_sha256) as source:
        made = policing.make(
            Path(source.name),
            recipe,
            _key(waiting),
            limits,
            lambda chunks: disposing.receive(chunks, means.settings.upload_size_bytes_max),
        )
    profile = _profile(made.kept.sha256, _as_text(file.name), means)
    return Part(made.kept.sha256, made.kept.size_bytes, made.rows, MEDIA_TYPES[profile["format"]], profile)


def _key(waiting: Waiting) -> bytes:
    """Return the key of a grant's hashes (HMAC-SHA256, RFC 2104): of no use for another grant, and nobody else's."""
    return hmac.digest(installation_key.derived(PURPOSE), waiting.grant_id.encode(), "sha256")


def _profile(sha256: str, name: str, means: facilities.Facilities) -> dict[str, Any]:
    """Profile a part as if it had been uploaded: whatever reads it knows of what is there, and of nothing else."""
    with means.store.open(sha256) as file:
        found = profiling.profile_file(Path(file.name), name, tabular.limits(means))
    if ProfileState(found.state) is not ProfileState.PROFILED or found.document.get("format") not in MEDIA_TYPES:
        raise NotEnforceable("What the terms leave of the file is no table.")
    return _shape(found.document)


def _shape(profile: Mapping[str, Any]) -> dict[str, Any]:
    columns = [{name: column[name] for name in _COLUMN if name in column} for column in profile["columns"]]
    return {name: profile[name] for name in _SHAPE if name in profile} | {"columns": columns}


def named(entitled: Entitlement) -> Entitlement:
    """Return what a grant opens under a name that fits its bytes: the part of a workbook is a text."""
    is_text = entitled.is_part and entitled.media_type == MEDIA_TYPES["csv"]
    return replace(entitled, file_name=_as_text(entitled.file_name)) if is_text else entitled


def _as_text(name: str) -> str:
    path = PurePosixPath(name)
    return f"{path.stem}.csv" if path.suffix.lower() in {".xlsx", ".xlsm"} else name
