"""Mail: written in the story's own transaction, sent by a job, forgotten a week after it was sent.

Without MARKETPLACE_SMTP_URL nothing is sent: what waits is read on the machine with ``marketplace mail list``.
"""

import email.policy
import smtplib
import ssl
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, unquote, urlsplit

from sqlalchemy import CheckConstraint, ColumnElement, Index, Integer, delete, insert, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import Model, db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

KEPT = timedelta(days=7)
"""So long after it was sent a message is known; one that nobody sends is given up after four times as long."""

TIMEOUT_SECONDS = 20.0
TROUBLE_LENGTH_MAX = 300
PORTS = {"smtp": 587, "smtps": 465}
# An address in a header is one word: folded at 78 signs it would become an encoded word, which no mailbox reads as one.
_POLICY = email.policy.default.clone(max_line_length=998)


class Mail(Model):
    """One message to one address."""

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint("attempts >= 0", "attempts"),
        Index("ix_mail_id_waiting", "id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_mail_sent_at", "sent_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer)
    last_trouble: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    unsubscribe: Mapped[str | None]


class MailUnsent(Exception):
    """The mail server did not take a message; the queue tries again."""


def send(recipient: str, subject: str, body: str, unsubscribe: str | None = None) -> str:
    """Have a message sent once the open transaction is kept; returns its id.

    ``unsubscribe`` is the address to which a mailbox posts to end letters of this kind (RFC 2369, RFC 8058).

    Raises ValueError for an address or a subject of several lines, which would add headers of a stranger's choice.
    """
    if any(not part.isprintable() or not part for part in (recipient, subject, unsubscribe or "-")):
        raise ValueError("an address and a subject are one printable line each")
    mail_id = new_id("eml")
    row = {"id": mail_id, "recipient": recipient, "subject": subject, "body": body, "created_at": clock.now()}
    db.session.execute(insert(Mail).values(**row, attempts=0, unsubscribe=unsubscribe))
    jobs.enqueue("mail.deliver", mail_id=mail_id)
    return mail_id


def list_waiting() -> Sequence[Mail]:
    """Return what was not sent yet, oldest first."""
    return db.session.scalars(select(Mail).where(Mail.sent_at.is_(None)).order_by(Mail.id)).all()


def sent_at(mail_ids: Iterable[str]) -> dict[str, datetime]:
    """Return when those of these messages were sent that were, as long as they are known."""
    sent = select(Mail.id, Mail.sent_at).where(Mail.id.in_(list(mail_ids)), Mail.sent_at.is_not(None))
    return {mail_id: at for mail_id, at in db.session.execute(sent) if at is not None}


@jobs.task("mail.deliver")
def deliver(mail_id: str) -> None:
    """Send a message unless another worker is at it or has done it; raises MailUnsent where the server refuses.

    The row is held meanwhile. A worker that dies between the server's yes and our note sends again, under the same
    Message-ID.
    """
    if settings.current().smtp_url is None:
        return
    with transaction():
        waiting = select(Mail).where(Mail.id == mail_id, Mail.sent_at.is_(None))
        mail = db.session.scalar(waiting.with_for_update(skip_locked=True))
        trouble = _sent(mail) if mail is not None else None
    if trouble is not None:
        raise MailUnsent(f"{mail_id}: {trouble}")


def _sent(mail: Mail) -> str | None:
    """Send a message and note how it went; returns the trouble, if any."""
    try:
        _hand_over(_message(mail))
    except (smtplib.SMTPException, OSError) as error:
        # Not the server's words, which repeat the address of the recipient.
        trouble = type(error).__name__[:TROUBLE_LENGTH_MAX]
        _note(mail.id, attempts=mail.attempts + 1, last_trouble=trouble)
        return trouble
    # The body goes at once: it holds links that open things.
    _note(mail.id, attempts=mail.attempts + 1, last_trouble=None, body="", unsubscribe=None, sent_at=clock.now())
    return None


def _note(mail_id: str, **columns: object) -> None:
    db.session.execute(update(Mail).where(Mail.id == mail_id).values(**columns))


def _message(mail: Mail) -> EmailMessage:
    message = EmailMessage(_POLICY)
    message["From"] = settings.current().mail_from
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{_own_name()}>"
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.body)
    return message


def _hand_over(message: EmailMessage) -> None:
    url = urlsplit(settings.current().smtp_url or "")
    with _connection(url) as server:
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _connection(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    context, ours = ssl.create_default_context(), _own_name()
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, ours, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(host, port, ours, timeout=TIMEOUT_SECONDS)
    server.ehlo()
    if host not in settings.LOOPBACK:
        # Without TLS a stranger on the way reads the links: better no mail (raises SMTPNotSupportedError).
        server.starttls(context=context)
    return server


def _own_name() -> str:
    """Return how this exchange names itself to mail servers; asking the machine could wait for its name server."""
    return str(urlsplit(settings.current().base_url).hostname)


def forget(kept: ColumnElement[bool] | None = None) -> None:
    """Delete messages a week after they were sent, and unsent ones after four: addresses are personal data.

    Those of which ``kept`` holds stay.
    """
    now = clock.now()
    over = or_(Mail.sent_at <= now - KEPT, Mail.created_at <= now - 4 * KEPT)
    with transaction():
        db.session.execute(delete(Mail).where(over, *(() if kept is None else (~kept,))))
