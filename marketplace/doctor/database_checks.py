"""The database: version, schema, durability, rights, connections, clock, and the work that waits in it."""

from dataclasses import dataclass

from marketplace.doctor.findings import Finding, Ward
from marketplace.kit.engine_facts import EngineFacts
from marketplace.kit.settings import Settings

VERSION_MIN = 150_000
AHEAD_SECONDS_MAX = 2.0
OVERDUE_SECONDS_MAX = 900
BESIDE_THE_POOL = 8
"""Connections of the job worker and the streams of changes, generously."""


@dataclass(frozen=True, slots=True)
class Database:
    """What the settings ask for, and what the database says."""

    settings: Settings
    said: EngineFacts

    @property
    def wanted(self) -> int:
        """The connections that one server takes at its peak."""
        return self.settings.threads + 8 + 16 + BESIDE_THE_POOL


def version_supported(seen: Database) -> Finding | None:
    """See whether it is PostgreSQL 15 or newer."""
    if seen.said.version >= VERSION_MIN:
        return None
    return Finding(
        f"PostgreSQL {seen.said.version // 10_000} is older than 15.",
        "Upgrade the database server to 15 or newer.",
        f"PostgreSQL {seen.said.version // 10_000}は15より古い版です。",
        "データベースを15以降に更新してください。",
    )


def schema_newest(seen: Database) -> Finding | None:
    """See whether the schema is the one this code was written for."""
    if seen.said.revision == seen.said.head:
        return None
    return Finding(
        f"The schema is at {seen.said.revision or 'none'}, but this code needs {seen.said.head}.",
        "Run `marketplace migrate`, or install the code that the schema was brought up by.",
        f"スキーマは{seen.said.revision or 'なし'}ですが、このプログラムには{seen.said.head}が必要です。",
        "marketplace migrateを実行するか、スキーマに合う版のプログラムを入れてください。",
    )


def keeps_what_it_said(seen: Database) -> Finding | None:
    """See whether what was said to be kept is kept when the power goes."""
    said = seen.said
    off = [
        name
        for name, on in (
            ("fsync", said.fsync),
            ("full_page_writes", said.full_pages),
            ("synchronous_commit", said.waits_for_disk),
        )
        if not on
    ]
    if not off:
        return None
    names = ", ".join(off)
    return Finding(
        f"The database runs with {names} off: a power cut loses money that was booked.",
        "Turn it on in postgresql.conf, and restart the database.",
        f"データベースの{names}がoffです。停電で記帳済みの取引が失われます。",
        "postgresql.confでonにし、データベースを再起動してください。",
    )


def isolation_expected(seen: Database) -> Finding | None:
    """See whether transactions begin as our row locks expect it."""
    if seen.said.isolation == "read committed":
        return None
    return Finding(
        f"The database begins transactions as {seen.said.isolation}: deeds at the same moment then fail.",
        "Set default_transaction_isolation to read committed for this role or database.",
        f"既定の分離レベルが{seen.said.isolation}のため、同時の操作が失敗します。",
        "このロールまたはデータベースのdefault_transaction_isolationをread committedにしてください。",
    )


def speaks_unicode(seen: Database) -> Finding | None:
    """See whether Japanese names can be kept."""
    if seen.said.encoding == "UTF8":
        return None
    return Finding(
        f"The database is encoded as {seen.said.encoding}.",
        "Create it anew with ENCODING 'UTF8', and restore into that.",
        f"データベースの文字コードが{seen.said.encoding}です。",
        "ENCODING 'UTF8'で作り直し、そこへ復元してください。",
    )


def connections_suffice(seen: Database) -> Finding | None:
    """See whether each thread can have a connection."""
    if seen.said.connections >= seen.wanted:
        return None
    return Finding(
        f"The database allows {seen.said.connections} connections; one server takes up to {seen.wanted}.",
        "Raise max_connections, or lower MARKETPLACE_THREADS.",
        f"データベースの接続数の上限は{seen.said.connections}ですが、サーバー一つで最大{seen.wanted}を使います。",
        "max_connectionsを上げるか、MARKETPLACE_THREADSを下げてください。",
    )


def role_is_no_superuser(seen: Database) -> Finding | None:
    """See whether the role could switch off what keeps the record append-only; the embedded database has no other."""
    if not seen.said.superuser or seen.settings.database_url is None:
        return None
    return Finding(
        "The exchange's database role is a superuser: it could change the record and read the server's files.",
        "Give it a role of its own (CREATE ROLE … LOGIN NOSUPERUSER) that owns its database, and nothing more.",
        "取引所のデータベースロールがスーパーユーザーで、監査記録の改変やファイルの読取りまでできてしまいます。",
        "専用のロール（CREATE ROLE … LOGIN NOSUPERUSER）を作り、自分のデータベースだけを所有させてください。",
    )


def role_takes_nothing_back(seen: Database) -> Finding | None:
    """See whether the role owns the record, and so could drop what keeps it append-only."""
    if not seen.said.owner or seen.said.superuser or seen.settings.database_url is None:
        return None
    return Finding(
        "The exchange serves with the login that owns the database: it could drop what keeps the record append-only.",
        "Run `marketplace migrate --roles`, and serve with a login that is a member of the role for serving.",
        "データベースの所有者のログインで稼働しているため、記録を追記専用に保つ仕組みを外せてしまいます。",
        "marketplace migrate --rolesを実行し、稼働用ロールに属するログインで稼働してください。",
        wrong=False,
    )


def clocks_agree(seen: Database) -> Finding | None:
    """See whether both clocks agree: tokens end by ours, some rows by the database's."""
    if abs(seen.said.ahead_seconds) <= AHEAD_SECONDS_MAX:
        return None
    apart = f"{seen.said.ahead_seconds:+.1f}"
    return Finding(
        f"The database's clock differs from this machine's by {apart} seconds.",
        "Keep both machines' clocks with NTP (chrony or systemd-timesyncd).",
        f"データベースの時計が、この機械と{apart}秒ずれています。",
        "両方の機械の時計をNTP（chronyなど）で合わせてください。",
    )


def jobs_worked_on(seen: Database) -> Finding | None:
    """See whether somebody does the background work."""
    if seen.said.jobs_overdue_seconds <= OVERDUE_SECONDS_MAX:
        return None
    minutes = seen.said.jobs_overdue_seconds // 60
    return Finding(
        f"Background work waits since {minutes} minutes.",
        "Run `marketplace serve` with MARKETPLACE_RUN_WORKER=true, or `marketplace worker` beside it; read its log.",
        f"バックグラウンド処理が{minutes}分間、滞っています。",
        "MARKETPLACE_RUN_WORKER=trueで起動するか、marketplace workerを動かし、そのログを見てください。",
    )


def jobs_succeed(seen: Database) -> Finding | None:
    """See whether work failed for good."""
    if not seen.said.jobs_failed:
        return None
    return Finding(
        f"{seen.said.jobs_failed} jobs failed for good within the last thirty days.",
        "Look for `job … failed` in the log, and mend the cause.",
        f"過去30日に、{seen.said.jobs_failed}件の処理が失敗したまま終わりました。",
        "ログの「job … failed」を探し、原因を取り除いてください。",
        wrong=False,
    )


DATABASE: Ward[Database] = Ward(
    (
        version_supported, schema_newest, keeps_what_it_said, isolation_expected, speaks_unicode, connections_suffice,
        role_is_no_superuser, role_takes_nothing_back, clocks_agree, jobs_worked_on, jobs_succeed,
    )
)  # fmt: skip
SILENT = Finding(
    "The database does not answer.",
    "Start it, and see that DATABASE_URL names it.",
    "データベースが応答しません。",
    "起動し、DATABASE_URLが正しいか確かめてください。",
)
