"""Mail is sent once, by whichever worker comes first, and says nothing that a stranger put into its headers."""

import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.db import db
from marketplace.kit.mail import Mail, MailUnsent
from marketplace.kit.transaction import transaction


class Post(socketserver.ThreadingTCPServer):
    """A mail server that takes what it is told to take (RFC 5321)."""

    allow_reuse_address = True
    refuses = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.taken: list[Any] = []
        self.login: list[str] = []
        self.url = f"smtp://user:p%40ss@127.0.0.1:{self.server_address[1]}"


class Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    server: Post

    def handle(self) -> None:
        self._say("220 post")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self._say("250-post\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.login.append(line)
                self._say("235 welcome")
            elif verb == "RCPT" and self.server.refuses:
                self._say("550 hana@example.jp is not here")
            elif verb == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.taken.append(message_from_bytes(b"".join(lines), policy=default))
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def post(session: Session) -> Iterator[Post]:
    yield from served()


def served() -> Iterator[Post]:
    before = settings.current()
    with Post() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.install(replace(before, smtp_url=server.url, mail_from="取引所 <office@example.jp>"))
        try:
            yield server
        finally:
            settings.install(before)
            server.shutdown()
            thread.join()


def written(subject: str = "件名") -> str:
    with transaction():
        return mail.send("hana@example.jp", subject, "本文\nhttps://x.example/secret\n")


def test_a_message_arrives_as_it_was_written(post: Post) -> None:
    mail_id = written()
    assert jobs.run_pending("mail.deliver") == 1
    (message,) = post.taken
    assert (message["To"], message["Subject"]) == ("hana@example.jp", "件名")
    assert message["From"] == "取引所 <office@example.jp>"
    assert message["Message-ID"] == f"<{mail_id}@127.0.0.1>"
    assert message.get_content().splitlines() == ["本文", "https://x.example/secret"]
    assert len(post.login) == 1
    assert not mail.list_waiting()


def test_what_was_sent_keeps_no_links(post: Post) -> None:
    mail_id = written()
    mail.deliver(mail_id)
    kept = db.session.get_one(Mail, mail_id, populate_existing=True)
    assert (kept.body, kept.attempts, kept.last_trouble) == ("", 1, None)


def test_a_message_is_sent_once_however_often_it_is_asked_for(post: Post) -> None:
    mail_id = written()
    for _ in range(3):
        mail.deliver(mail_id)
    assert len(post.taken) == 1
    mail.deliver("eml_" + "0" * 32)


def test_a_message_of_a_story_that_failed_is_not_sent(post: Post) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        mail.send("hana@example.jp", "x", "y")
        raise ZeroDivisionError
    assert jobs.run_pending("mail.deliver") == 0
    assert not mail.list_waiting()


def test_a_message_that_is_refused_waits_and_says_why_without_the_address(post: Post) -> None:
    post.refuses = True
    mail_id = written()
    with pytest.raises(MailUnsent) as unsent:
        mail.deliver(mail_id)
    assert "hana" not in str(unsent.value)
    (waiting,) = mail.list_waiting()
    assert (waiting.attempts, waiting.last_trouble) == (1, "SMTPRecipientsRefused")
    post.refuses = False
    mail.deliver(mail_id)
    assert len(post.taken) == 1


def test_a_server_that_is_away_is_tried_again(post: Post) -> None:
    settings.install(replace(settings.current(), smtp_url="smtp://127.0.0.1:1"))
    with pytest.raises(MailUnsent):
        mail.deliver(written())
    assert mail.list_waiting()[0].attempts == 1


def test_without_a_mail_server_messages_wait(session: Session) -> None:
    written("first")
    written("second")
    assert jobs.run_pending("mail.deliver") == 2
    assert [(waiting.subject, waiting.attempts) for waiting in mail.list_waiting()] == [("first", 0), ("second", 0)]


@pytest.mark.parametrize("bad", ["a@b.jp\r\nBcc: all@example.jp", "a\nb", "a\rb", "", "a\u2028b", "a\0"])
def test_nobody_adds_headers(session: Session, bad: str) -> None:
    for recipient, subject in ((bad, "x"), ("hana@example.jp", bad)):
        with pytest.raises(ValueError, match="one printable line"):
            mail.send(recipient, subject, "x")
    assert not mail.list_waiting()


def test_what_was_sent_is_forgotten_after_a_week_and_the_rest_after_four(post: Post) -> None:
    sent, waiting = written(), written()
    mail.deliver(sent)
    for days, left in ((6, {sent, waiting}), (8, {waiting}), (27, {waiting}), (29, set())):
        with clock.stopped(clock.now() + timedelta(days=days)):
            mail.forget()
        assert set(db.session.scalars(select(Mail.id))) == left


def test_a_server_beyond_this_machine_must_speak_tls(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Plain:
        def __init__(self, *_where: Any, **_how: Any) -> None:
            made.append(self)
            self.tls = False

        def ehlo(self) -> None:
            pass

        def starttls(self, context: Any) -> None:
            self.tls = context.check_hostname

    monkeypatch.setattr(mail.smtplib, "SMTP", Plain)
    mail._connection(mail.urlsplit("smtp://mail.example.jp"))
    mail._connection(mail.urlsplit("smtp://127.0.0.1:25"))
    assert [server.tls for server in made] == [True, False]


def test_of_eight_workers_at_once_one_sends(own_database: Flask) -> None:
    for post in served():
        mail_id = written()

        def work(_n: int, mail_id: str = mail_id) -> None:
            with own_database.app_context():
                mail.deliver(mail_id)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert len(post.taken) == 1
