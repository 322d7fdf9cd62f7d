"""Background work on a PostgreSQL queue (procrastinate): enqueued in the story's own transaction."""

import asyncio
import contextlib
import functools
import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from marketplace.kit.db import db
from marketplace.kit.postgres import libpq_url
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
Job = Callable[..., None]
Context = Callable[[], Any]

RETRIES_MAX = 10
FAILED_KEPT_DAYS = 30
HEARTBEAT_SECONDS = 3.0
STALLED_SECONDS = 15.0
GRACE_SECONDS = 5.0  # for the jobs at hand when a worker is told to end
AGAIN_SECONDS = GRACE_SECONDS + 2  # then it is told again
DEFAULT, SLOW, FOREIGN, IDLE = "default", "slow", "foreign", "idle"
# How many jobs of each queue one worker does at once: slow work waits for slow work only, strangers for strangers.
SLOTS = {DEFAULT: 2, SLOW: 2, FOREIGN: 2, IDLE: 1}
_tasks: dict[str, Job] = {}
_periodic: dict[str, str] = {}
_queues: dict[str, str] = {}
_ENQUEUE = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, 0, :lock, NULL,"
    " CAST(:args AS jsonb), CAST(:scheduled_at AS timestamptz))::procrastinate_job_to_defer_v1])"
)
_MOVE = (
    "UPDATE procrastinate_jobs SET queue_name = %(queue)s"
    " WHERE status IN ('todo', 'doing') AND queue_name <> %(queue)s AND task_name = ANY(%(names)s)"
)
_DROP_OLD = text(
    "DELETE FROM procrastinate_jobs j WHERE status IN ('failed', 'aborted', 'cancelled') AND NOT EXISTS"
    " (SELECT FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > now() - make_interval(days => :days))"
)


def task(
    name: str, *, cron: str | None = None, slow: bool = False, foreign: bool = False, idle: bool = False
) -> Callable[[Job], Job]:
    """Register a function as the work behind ``name``; with ``cron``, run it at those minutes as well.

    The function runs in an application context and opens its own transactions. It may run more
    than once, so it must be idempotent. One that fails is tried again after 2, 4, 8 … seconds, ten times;
    with ``cron`` it is not, since it comes again by itself. What may take minutes, or as long as a
    stranger's file makes it, is ``slow``: it has a queue and slots of its own, and holds up no other work. So is
    what waits for strangers' servers, ``foreign``, and ``idle`` what nobody waits for, one at a time.
    """

    def register(function: Job) -> Job:
        if name in _tasks:
            raise TypeError(f"two jobs share the name {name!r}")
        _tasks[name] = function
        if cron:
            _periodic[name] = cron
        if slow or foreign or idle:
            _queues[name] = IDLE if idle else FOREIGN if foreign else SLOW
        return function

    return register


def enqueue(
    name: str,
    *,
    lock: str | None = None,
    scheduled_at: datetime | None = None,
    **args: Any,
) -> None:
    """Add a job in the open transaction: it exists if and only if the story does.

    Jobs with the same ``lock`` run one after another. With ``scheduled_at`` the job waits until then.
    There is no "only once in the queue": a job that waits may begin before this story is kept, and miss it.
    """
    if name not in _tasks:
        raise LookupError(f"no job is called {name!r}")
    row = {"task": name, "lock": lock, "args": json.dumps(args), "scheduled_at": scheduled_at}
    db.session.execute(_ENQUEUE, row | {"queue": _queue_of(name)})


def _queue_of(name: str) -> str:
    return _queues.get(name, DEFAULT)


def run_pending(name: str | None = None) -> int:
    """Do the waiting jobs in this thread, for tests and for commands; returns how many ran."""
    taken = 0
    while job := _take(name):
        _tasks[job[1]](**job[2])
        taken += 1
    return taken


def _take(name: str | None) -> Any:
    with transaction():
        return db.session.execute(
            text(
                "DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs WHERE status = 'todo'"
                " AND (CAST(:name AS text) IS NULL OR task_name = :name) AND (scheduled_at IS NULL OR"
                " scheduled_at <= now()) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, task_name, args"
            ),
            {"name": name},
        ).first()


@task("jobs.tidy", cron="47 3 * * *")
def tidy() -> None:
    """Drop what failed for good more than 30 days ago."""
    with transaction():
        db.session.execute(_DROP_OLD, {"days": FAILED_KEPT_DAYS})


async def _move(app: Any) -> None:
    # A job may have been enqueued by a version before this one, when its work had another queue.
    for queue in SLOTS:
        names = [name for name in _tasks if _queue_of(name) == queue]
        await app.connector.execute_query_async(_MOVE, queue=queue, names=names)


async def _work_on(app: Any, queue: str, slots: int) -> None:
    await app.run_worker_async(
        queues=[queue],
        concurrency=slots,
        install_signal_handlers=False,
        delete_jobs="successful",
        fetch_job_polling_interval=1.0,
        shutdown_graceful_timeout=GRACE_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
    )


async def _revive(app: Any, job: Any) -> None:
    from procrastinate.jobs import Status

    if job.attempts >= RETRIES_MAX:
        log.error("job %s (%s) is given up: it lost its worker %d times", job.id, job.task_name, job.attempts)
        await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
    else:
        log.warning("job %s (%s) lost its worker and is tried again", job.id, job.task_name)
        await app.job_manager.retry_job(job)


async def _revive_stalled(app: Any) -> None:
    # A killed worker leaves its jobs "doing" for ever, and with them every job that shares their lock.
    from procrastinate.exceptions import ConnectorException

    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            # Another worker may be quicker, and the database then refuses.
            with contextlib.suppress(ConnectorException):
                await _revive(app, job)
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def _work_and_revive(app: Any) -> None:
    tasks = [asyncio.create_task(_work_on(app, queue, slots)) for queue, slots in SLOTS.items()]
    tasks.append(asyncio.create_task(_revive_stalled(app)))
    try:
        # One that ends has lost its database: the others begin anew with it.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    for one in tasks:
        if not one.cancelled():
            one.result()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    # A cancellation that meets the first step of a task is lost: it is said again, after the grace of a running job.
    pending = set(tasks)
    while pending:
        for one in pending:
            one.cancel()
        _done, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)


class Worker:
    """A worker in a thread of this process, or in the foreground for ``marketplace worker``."""

    def __init__(self, database_url: str, context: Context) -> None:
        self._url = libpq_url(database_url)
        self._context = context
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Work in a background thread until ``stop``."""
        self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Work until stopped; a lost database is waited for."""
        asyncio.run(self._supervise())

    def stop(self, timeout_seconds: float = 10) -> None:
        """Finish the jobs at hand and end the thread."""
        # First the sign, for a thread that has not come as far as its loop.
        self._stopping.set()
        if self._loop and self._main:
            # A loop that has ended by itself, or was stopped before, is closed.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._main.cancel)
        if self._thread:
            self._thread.join(timeout_seconds)

    async def _supervise(self) -> None:
        self._main, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        while not self._stopping.is_set():
            try:
                await self._work()
            except asyncio.CancelledError:
                return
            except Exception:
                log.exception("the job worker lost its database; trying again")
            # The database went away: come back when it does.
            await asyncio.sleep(1)

    async def _work(self) -> None:
        app = self._app()
        try:
            await app.open_async()
            await _move(app)
            if not self._stopping.is_set():
                await _work_and_revive(app)
        finally:
            # Also when stopped while it opens: a pool left half open keeps its loop, and so the thread, for ever.
            await app.close_async()

    def _app(self) -> Any:
        import procrastinate

        connector = procrastinate.PsycopgConnector(conninfo=self._url, min_size=1, max_size=sum(SLOTS.values()) + 2)
        app = procrastinate.App(connector=connector)
        retry = procrastinate.RetryStrategy(max_attempts=RETRIES_MAX, exponential_wait=2)
        for name, function in _tasks.items():
            register = app.task(name=name, queue=_queue_of(name), retry=name not in _periodic and retry)
            registered = register(self._in_context(function))
            if name in _periodic:
                app.periodic(cron=_periodic[name])(registered)
        return app

    def _in_context(self, function: Job) -> Job:
        @functools.wraps(function)
        def run(**args: Any) -> None:
            args.pop("timestamp", None)
            with self._context():
                try:
                    function(**args)
                except Exception:
                    log.exception("job %s failed", function.__name__)
                    raise

        return run
