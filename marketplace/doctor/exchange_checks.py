"""The exchange itself: its record, its mail, its gateway's events, and the people who operate it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.audit import checkpoints, sequencer
from marketplace.billing import inbox
from marketplace.doctor.findings import Finding, Ward
from marketplace.exchange import witnessing
from marketplace.identity.login import people
from marketplace.kit import clock, mail

UNPLACED_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was read of the exchange."""

    unplaced_since: datetime | None
    unsigned_because: str | None
    unwitnessed_since: datetime | None
    mail_troubled: int
    events_parked: int
    operators_with_one_factor: int


def examine() -> Exchange:
    """Read what the checks look at, in the open transaction."""
    return Exchange(
        unplaced_since=sequencer.unplaced_since(),
        unsigned_because=checkpoints.trouble(),
        unwitnessed_since=witnessing.lapsed_since(),
        mail_troubled=sum(1 for message in mail.list_waiting() if message.last_trouble),
        events_parked=len(inbox.list_parked()),
        operators_with_one_factor=people.count_operators_with_one_factor(),
    )


def record_kept(seen: Exchange) -> Finding | None:
    """See whether entries get their place in the record, as they do within a second."""
    if seen.unplaced_since is None or clock.now() - seen.unplaced_since <= UNPLACED_MAX:
        return None
    return Finding(
        f"Entries of the record wait for their place since {clock.text(seen.unplaced_since)}.",
        "Run `marketplace serve` or `marketplace worker`, and then `marketplace audit verify`.",
        f"監査記録が{clock.text(seen.unplaced_since)}から確定していません。",
        "marketplace serveかmarketplace workerを動かし、その後marketplace audit verifyを実行してください。",
    )


def record_signed(seen: Exchange) -> Finding | None:
    """See whether the record is one that continues what was signed before, as after an old backup it is not."""
    if seen.unsigned_because is None:
        return None
    return Finding(
        f"The record is not signed any more: {seen.unsigned_because}.",
        "Restore the lost end of the database or the file; docs/auditing.md says what else can be done.",
        f"監査記録に署名できません: {seen.unsigned_because}",
        "データベースの失われた部分またはファイルを復元してください。詳しくはdocs/auditing.mdを参照してください。",
    )


def record_witnessed(seen: Exchange) -> Finding | None:
    """See whether enough witnesses sign what the record is, in time."""
    if seen.unwitnessed_since is None:
        return None
    return Finding(
        f"Too few witnesses have signed the record since {clock.text(seen.unwitnessed_since)}.",
        "Run `marketplace audit feed`, which says what each of MARKETPLACE_LOG_WITNESSES answers.",
        f"{clock.text(seen.unwitnessed_since)}から、監査記録に署名した証人が足りません。",
        "marketplace audit feedで各証人の応答を確かめてください。",
    )


def mail_delivered(seen: Exchange) -> Finding | None:
    """See whether the mail server takes what it is given."""
    if not seen.mail_troubled:
        return None
    return Finding(
        f"The mail server did not take {seen.mail_troubled} messages.",
        "Look at `marketplace mail list`, and mend MARKETPLACE_SMTP_URL.",
        f"メールサーバーが{seen.mail_troubled}通を受け取りませんでした。",
        "marketplace mail listを見て、MARKETPLACE_SMTP_URLを直してください。",
    )


def events_understood(seen: Exchange) -> Finding | None:
    """See whether what the payment gateway told was worked on."""
    if not seen.events_parked:
        return None
    return Finding(
        f"{seen.events_parked} events of the payment gateway could not be worked on.",
        "Look at `marketplace events list`, mend the cause, and run `marketplace events retry`.",
        f"決済事業者からの通知{seen.events_parked}件を処理できませんでした。",
        "marketplace events listを見て原因を直し、marketplace events retryを実行してください。",
    )


def operators_have_a_second_factor(seen: Exchange) -> Finding | None:
    """See whether a guessed password of an operator would be enough."""
    if not seen.operators_with_one_factor:
        return None
    return Finding(
        f"{seen.operators_with_one_factor} people of the operator sign in with a password alone.",
        "Have them add a passkey or a code generator on their account page, or shut them out (`people disable`).",
        f"運営者の{seen.operators_with_one_factor}人が、パスワードだけでサインインしています。",
        "アカウントの画面でパスキーか認証アプリを登録させるか、people disableで締め出してください。",
    )


EXCHANGE: Ward[Exchange] = Ward(
    (record_kept, record_signed, record_witnessed, mail_delivered, events_understood, operators_have_a_second_factor)
)
