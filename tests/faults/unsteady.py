"""A client that breaks off as it likes, and knows to the byte what its kernel has acknowledged."""

import contextlib
import ctypes
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass, field

SO_ATTACH_FILTER = 26  # include/uapi/asm-generic/socket.h; Python does not name it
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # classic BPF: RET 0
_PROGRAM = struct.pack("HP", 1, ctypes.addressof(_DROP_ALL))
_AT_ONCE = struct.pack("ii", 1, 0)
PATIENCE_SECONDS = 180
PIECE_BYTES = 2**16


@dataclass
class Answer:
    """What came of one request: its status and fields, and the bytes of its body that have been read."""

    status: int
    fields: dict[str, str]
    body: bytearray

    @property
    def length(self) -> int:
        return int(self.fields.get("content-length", 0))


@dataclass
class Unsteady:
    """One connection to a server, with a receive buffer that bounds what may be on its way."""

    port: int
    receive_bytes: int
    _socket: socket.socket = field(init=False)
    _read: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(("127.0.0.1", self.port))

    def ask(self, method: str, target: str, fields: dict[str, str]) -> None:
        """Send a request without a body."""
        told = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket.sendall(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{told}\r\n".encode())

    def head(self) -> Answer:
        """Read to the end of the head."""
        while (found := self._head()) is None:
            self._more(PIECE_BYTES)
        return found

    def take(self, answer: Answer, upto: int) -> Answer:
        """Read on until so many bytes of the body are there, or all of it."""
        wanted = min(upto, answer.length)
        self._move(answer, wanted)
        while len(answer.body) < wanted:
            self._more(min(PIECE_BYTES, wanted - len(answer.body)))
            self._move(answer, wanted)
        return answer

    def half_close(self) -> None:
        """Send a FIN, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    def deafen(self, *, finish: bool) -> None:
        """Take nothing more from the peer, and acknowledge what was taken: from here on it is settled.

        Whatever is sent carries the acknowledgement (RFC 9293 section 3.8.6.3): a FIN, or else the first byte of
        another request. By itself the kernel may wait with it for 40 ms, and a reset would be quicker.
        """
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM)
        if finish:
            self.half_close()
        else:
            self._socket.sendall(b"G")

    def settled(self, answer: Answer | None) -> Answer | None:
        """Read what a deafened connection still has, and return all that ever came; None without a whole head."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._more(PIECE_BYTES)
        answer = answer or self._head()
        if answer is not None:
            self._move(answer, answer.length)
        return answer

    def unread(self) -> int:
        """Return how many bytes the kernel has for us that nobody read (FIONREAD)."""
        told = fcntl.ioctl(self._socket, termios.FIONREAD, bytes(4))
        return len(self._read) + int(struct.unpack("i", told)[0])

    def close(self) -> None:
        """Close: a FIN, or a reset by the kernel where something is unread (RFC 1122 section 4.2.2.13)."""
        self._socket.close()

    def reset(self) -> None:
        """Close by a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._socket.close()

    def _head(self) -> Answer | None:
        head, found, rest = bytes(self._read).partition(b"\r\n\r\n")
        if not found:
            return None
        self._read = bytearray(rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), {name.lower(): value for name, value in fields.items()}, bytearray())

    def _more(self, count: int) -> None:
        piece = self._socket.recv(count)
        assert piece, f"the server closed after {bytes(self._read[:200])!r}"
        self._read += piece

    def _move(self, answer: Answer, wanted: int) -> None:
        missing = max(0, wanted - len(answer.body))
        answer.body += self._read[:missing]
        del self._read[:missing]
