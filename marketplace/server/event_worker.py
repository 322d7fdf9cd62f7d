"""The event worker: connections wait with one loop, and threads see requests that can be read in one go."""

import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers import gthread

from marketplace.server.body import FileBody, Outcome
from marketplace.server.connection import NEVER, Connection
from marketplace.server.loop import EDGES, READABLE, WRITABLE, Loop
from marketplace.server.outlet import Outlet
from marketplace.server.passes import Asked, Kept, Passes, Report, Slot
from marketplace.server.sender import FIRST_PUSH_BYTES, Sender
from marketplace.server.settling import Download, Settling
from marketplace.server.transfer import Push, Transfer
from marketplace.server.worker import STOP_POLL_SECONDS, SendfileWorker

SCAN_SECONDS = 1.0
ACCEPTS_MAX = 64
LINGER_AT_STOP_SECONDS = gthread.STOP_KEEPALIVE_LINGER


class EventWorker(SendfileWorker):
    """`SendfileWorker` with a loop of its own in gunicorn's place, for plain HTTP/1.x.

    Heads are read by gunicorn's parser and requests are answered by gunicorn's code, as in the threaded worker, so that
    both answer alike. Here no thread waits for a client: not for the first byte, not for room for the answer. A
    connection is entered in epoll once. Over TLS this is the threaded worker.
    """

    _loop: Loop | None = None
    _accepting: bool

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what the loop cannot do; raises ValueError."""
        super().check_config(cfg, log)
        if cfg.http2_cleartext != "off":
            raise ValueError("http2_cleartext needs the threaded worker: the event worker speaks HTTP/1 without TLS")

    def run(self) -> None:
        """Serve until told to stop; no download stays unreported."""
        if self.cfg.is_ssl:
            super().run()
            return
        self._connections: set[Connection] = set()
        self._acceptors: dict[int, Callable[[], None]] = {}
        self._scan_seconds = min(SCAN_SECONDS, self._stall_seconds / 2, self._head_seconds / 2)
        self._next_scan, self._quitting = 0.0, False
        self._loop, self._sender = Loop(), Sender(self._stall_seconds)
        self._settling, self._passes = Settling(self._loop.ring), Passes()
        self._returning = False
        self._sender.start()
        try:
            self._serve_all(self._loop)
        finally:
            self._settling.closed = True
            self._settle_old(NEVER)
            self._sender.close()  # what is reported from here on is posted still
            self._leave_loop()
            self._loop.close()
            self.tpool.shutdown(wait=False)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.ring()

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """Stop at once, but between two deeds of the loop: an exception raised here could lose a report."""
        if self._loop is None:
            super().handle_quit(sig, frame)
            return
        self.alive, self._quitting = False, True
        self.cfg.worker_int(self)
        self._loop.ring()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections, or leave them to others."""
        if self._loop is None:
            super().set_accept_enabled(enabled)
        elif enabled != self._accepting:
            self._accepting = enabled
            for listener in self.sockets:
                self._watch_listener(self._loop, listener)

    def _watch_listener(self, loop: Loop, listener: Any) -> None:
        accept = self._acceptors.setdefault(listener.fileno(), partial(self._accept_waiting, loop, listener))
        if self._accepting:
            listener.settimeout(0)
            loop.watch(listener.fileno(), READABLE | select.EPOLLEXCLUSIVE, accept)
        else:
            loop.forget(listener.fileno(), accept)

    def _serve_all(self, loop: Loop) -> None:
        while self.alive:
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            loop.turn(self._settling.patience(self._scan_seconds))
            self._look_around()
            if not self.is_parent_alive():
                break
        self.alive = False
        self.set_accept_enabled(False)
        self._leave_listeners()
        self._let_go(loop)

    def _let_go(self, loop: Loop) -> None:
        """Give running answers the graceful time; connections between two requests get two seconds of it."""
        until = time.monotonic() + self.cfg.graceful_timeout
        while self._connections and not self._quitting and (now := time.monotonic()) < until:
            for connection in tuple(self._connections):
                connection.hurry(now + LINGER_AT_STOP_SECONDS)
            self._break_off_in_time()
            loop.turn(self._settling.patience(STOP_POLL_SECONDS))
            self._look_around()

    def _look_around(self) -> None:
        """Tell the arbiter that we live, and close what has waited long enough; about once a second."""
        now = time.monotonic()
        self._settle_old(now)
        if now < self._next_scan:
            return
        self._next_scan = now + min(self._scan_seconds, SCAN_SECONDS if self.alive else STOP_POLL_SECONDS)
        self.notify()
        for connection in tuple(self._connections):
            connection.expire(now)

    def _take_waiting(self, listener: Any) -> None:
        if self._loop is None:
            super()._take_waiting(listener)
        else:
            self._accept_waiting(self._loop, listener)

    def _accept_waiting(self, loop: Loop, listener: Any) -> None:
        for _ in range(min(ACCEPTS_MAX, self.worker_connections - self.nr_conns)):
            try:
                wire, client = listener.accept()
            except OSError:  # nobody waits any more, or the one who did is gone
                return
            self._take_in(loop, wire, client, listener.getsockname())

    def _take_in(self, loop: Loop, wire: socket.socket, client: Any, server: Any) -> None:
        connection = Connection(self.cfg, wire, (client, server), self._stall_seconds)
        gone = partial(self._forget, loop, connection)
        connection.attend(self._gathering, self._give_thread, self._settle, gone)
        self.nr_conns += 1
        self._connections.add(connection)
        loop.watch(wire.fileno(), READABLE | WRITABLE | EDGES, connection.wake)

    def _forget(self, loop: Loop, connection: Connection) -> None:
        self.nr_conns -= 1
        self._connections.discard(connection)
        loop.forget(connection.sock.fileno(), connection.wake)

    def _give_thread(self, connection: Connection) -> None:
        found = self._find_pass(connection)
        if found is not None and self._serve_by_pass(connection, *found):
            return
        # Whoever downloads and then asks for its usage sees the download.
        if connection.unreported and (found is None or found[1].leave.waits()):
            connection.parked = True
        else:
            self.tpool.submit(self._answer, connection)

    def _answer(self, connection: Connection, arrived: Download | None = None) -> None:
        """On a thread of the pool: answer a request, and those that have come when its download has arrived."""
        while arrived is None or self._goes_on(connection, arrived):
            arrived = self._answer_one(connection)
            if arrived is None:
                return

    def _answer_one(self, connection: Connection) -> Download | None:
        """Answer one request and begin its download; return it if it has arrived already."""
        stays = False
        self._request.slot = self._slot(connection)
        try:
            stays = bool(gthread.ThreadWorker.handle(self, connection))
        except Exception:
            self.log.exception("a request was given up")
        finally:
            self._end_leftovers()
            transfer = self._request.take_transfer()
        if transfer is not None:
            return self._send(connection, Download(transfer, stays))
        self._give_back(connection, stays=stays)
        return None

    def _send(self, connection: Connection, download: Download) -> Download | None:
        connection.woken = False
        pushed = download.transfer.push_first(FIRST_PUSH_BYTES)
        if pushed is not Push.SENT:
            self._leave_to_sender(connection, download, over=pushed is Push.BROKEN)
            return None
        if download.transfer.arrived():
            return download
        arrived = self._settling.add(connection, download)
        if self._settling.closed and self._settling.take(connection) is not None:
            self._leave_to_sender(connection, download)
        return arrived

    def _goes_on(self, connection: Connection, download: Download) -> bool:
        """Report a download that has arrived; tell whether the next request is here, or give the connection back."""
        outcomes: list[Outcome] = []
        download.transfer.on_end = outcomes.append
        download.transfer.conclude(Outcome.COMPLETE)
        goes_on = outcomes == [Outcome.COMPLETE] and download.stays and self.alive and connection.has_request()
        if goes_on and self._find_pass(connection) is None:
            return True
        self._ended_transfer(connection, download.stays, *outcomes)
        return False

    def _settle(self, connection: Connection) -> None:
        arrived = self._settling.take_arrived(connection)
        if arrived is None:
            return
        if arrived.by_pass:
            self._end_by_pass(connection, arrived)
        else:
            self.tpool.submit(self._answer, connection, arrived)

    def _settle_old(self, now: float) -> None:
        for connection, download in self._settling.take_old(now):
            if download.by_pass and not self._settling.closed and download.transfer.arrived():
                self._end_by_pass(connection, download)
            elif download.transfer.arrived():
                self._sender.report(download.transfer, partial(self._ended_transfer, connection, download.stays))
            else:
                self._leave_to_sender(connection, download)

    def _leave_to_sender(self, connection: Connection, download: Download, *, over: bool = False) -> None:
        on_end = partial(self._ended_transfer, connection, download.stays)
        self._sender.take_over(download.transfer, on_end, over=over)

    def _slot(self, connection: Connection) -> Slot | None:
        data = connection.received()
        asked = None if self.cfg.accesslog else self._passes.read(data, connection.peer)
        return None if asked is None else self._passes.slot(asked, data)

    def _find_pass(self, connection: Connection) -> tuple[Asked, Kept] | None:
        asked = self._passes.read(connection.received(), connection.peer) if self.alive else None
        kept = None if asked is None else self._passes.find(asked)
        return None if asked is None or kept is None else (asked, kept)

    def _serve_by_pass(self, connection: Connection, asked: Asked, kept: Kept) -> bool:
        """On the loop: answer a request, if its pass can begin another body."""
        begun = kept.leave.begin(None if asked.range_field is None else asked.range_field.decode("latin-1"))
        if begun is None:
            return False
        connection.pass_over(asked.length)
        connection.unreported += 1
        report = partial(self._report_by_pass, connection, begun.report)
        transfer = Transfer(FileBody(begun.file, begun.start, begun.length, report, begun.key), connection.wire)
        download = Download(transfer, stays=True, by_pass=True)
        if not transfer.begin(connection.sock.write_now, kept.head(begun.fields)):
            self._leave_to_sender(connection, download, over=True)
        elif (arrived := self._send(connection, download)) is not None:
            self._end_by_pass(connection, arrived)
        return True

    def _report_by_pass(self, connection: Connection, report: Report, sent: int, acked: int, outcome: Outcome) -> None:
        report(sent, acked, outcome, partial(self._on_loop, connection, partial(self._reported, connection)))

    def _reported(self, connection: Connection) -> None:
        connection.unreported -= 1
        if connection.parked and not connection.unreported:
            connection.parked = False
            self._give_thread(connection)

    def _end_by_pass(self, connection: Connection, download: Download) -> None:
        outcomes: list[Outcome] = []
        download.transfer.on_end = outcomes.append
        download.transfer.conclude(Outcome.COMPLETE)
        if outcomes != [Outcome.COMPLETE]:
            connection.drop()
        elif self._returning and self._loop is not None:
            # A client that asks without end must not be answered within the answer before.
            self._loop.post(partial(connection.return_to_loop, stays=True))
        else:
            self._returning = True
            try:
                connection.return_to_loop(stays=True)
            finally:
                self._returning = False

    def _headed(self, body: FileBody, response: Any) -> Transfer:
        outlet: Outlet = response.sock
        if self._request.slot is not None:
            self._passes.keep(self._request.slot, response)
        transfer = Transfer(body, outlet.wire)
        transfer.prepare()
        response.send_headers()
        outlet.settle()  # nothing may come between the head and the bytes that are counted
        return transfer

    def _on_loop(self, conn: Any, callback: Callable[[], None]) -> None:
        if self._loop is None:
            super()._on_loop(conn, callback)
            return
        with self._ended:
            if not self._over:
                self._loop.post(callback)
                return
        conn.close()

    def _ended_transfer(self, conn: Any, keepalive: bool, outcome: Outcome) -> None:
        if outcome is Outcome.COMPLETE:
            self._give_back(conn, stays=keepalive)
        else:
            self._on_loop(conn, conn.drop)

    def _give_back(self, connection: Connection, *, stays: bool) -> None:
        self._on_loop(connection, partial(connection.return_to_loop, stays=stays))
