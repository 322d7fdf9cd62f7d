"""Safety, security and resilience: rights that end, deliveries that arrive, what is proved, signs of attack."""

from collections.abc import Iterator

from marketplace.audit import sequencer
from marketplace.audit.verbs import Verb
from marketplace.disclosure.annual.figures import Figure, Part, Secrecy, by_month, fewest, labelled, total
from marketplace.disclosure.annual.reading import Year, deeds, row, rows
from marketplace.disclosure.states import Unit

# Only deliveries that ran when the grant was revoked: none begins afterwards.
_ENDED = """
SELECT CAST(ceil(max(extract(epoch FROM d.closed_at - g.revoked_at))) AS bigint) AS seconds
  FROM access_grant g JOIN delivery d ON d.grant_id = g.id
 WHERE g.revoked_at >= :first AND g.revoked_at < :after AND d.opened_at <= g.revoked_at AND d.closed_at > g.revoked_at
"""
_DELIVERIES = """
SELECT count(*) AS ended, count(*) FILTER (WHERE state = 'complete') AS complete,
       count(DISTINCT organization_id) FILTER (WHERE state = 'complete') AS complete_buyers,
       count(DISTINCT organization_id) FILTER (WHERE state <> 'complete') AS broken_buyers
  FROM delivery WHERE closed_at >= :first AND closed_at < :after
"""
_AVAILABLE = """
SELECT substr(month, 6) AS month, CAST(avg(availability_basis_points) AS integer) AS points
  FROM service_level_measurement WHERE month BETWEEN :begin AND :end GROUP BY 1 ORDER BY 1
"""
_RECEIPTS = """
SELECT to_char(r.signed_at AT TIME ZONE 'Asia/Tokyo', 'MM') AS month, count(*) AS many,
       count(DISTINCT d.organization_id) AS buyers
  FROM receipt r JOIN delivery d ON d.id = r.delivery_id
 WHERE r.signed_at >= :first AND r.signed_at < :after GROUP BY 1
"""
_INCIDENTS = """
SELECT CASE WHEN CAST(facts->>'drill' AS boolean) THEN 'drill' ELSE facts->>'kind' END AS kind, count(*) AS many
  FROM audit_entry WHERE verb = 'incidents.incident.opened' AND occurred_at >= :first AND occurred_at < :after
 GROUP BY 1
"""
_KINDS = {
    "leak": ("漏えい", "Leaks"),
    "loss": ("滅失", "Losses"),
    "damage": ("毀損", "Damage"),
    "misuse": ("不正利用", "Misuse"),
    "drill": ("訓練", "Drills"),
}


def figures(year: Year) -> Iterator[Figure]:
    """Yield the figures of the principle."""
    yield _revoked(year)
    yield _ending(year)
    yield _complete(year)
    yield _availability(year)
    yield _receipts(year)
    yield _record()
    yield _incidents(year)
    yield _signs(year)


def _revoked(year: Year) -> Figure:
    parts = deeds(year, Verb.GRANT_REVOKED)
    return Figure(
        key="revoked",
        ja="利用権の取消し",
        en="Grants revoked",
        value=total(parts),
        parts=parts,
        how_ja="取り消された利用権の件数(access.grant.revoked)。",
        how_en="Grants that were revoked (access.grant.revoked).",
    )


def _ending(year: Year) -> Figure:
    return Figure(
        key="revocation_seconds",
        ja="取消しから配信停止までの最長時間",
        en="Longest time from revocation to the end of a delivery",
        value=row(_ENDED, year).seconds,
        unit=Unit.SECONDS,
        secrecy=Secrecy.OPEN,
        how_ja="取消しの時に続いていた配信のうち、閉じるまでに最も長くかかったもの(秒、切上げ)。",
        how_en="Of the deliveries that ran when their grant was revoked, the longest until it was closed, in seconds.",
    )


def _complete(year: Year) -> Figure:
    found = row(_DELIVERIES, year)
    return Figure(
        key="complete",
        ja="最後まで届いた配信の割合",
        en="Share of deliveries that arrived whole",
        value=found.complete,
        of=found.ended,
        parties=fewest((found.complete_buyers, found.broken_buyers)),
        secrecy=Secrecy.TRADED,
        how_ja="その年に終わった配信のうち、全バイトの受領が確認されたもの。中断には利用者の都合によるものを含む。",
        how_en="Of the deliveries that ended in the year, those of which every byte was acknowledged; clients that"
        " break off count as well.",
    )


def _availability(year: Year) -> Figure:
    found = rows(_AVAILABLE, year, begin=f"{year.number:04d}-01", end=f"{year.number:04d}-12")
    parts = tuple(part for part in by_month({one.month: one.points for one in found}) if part.value)
    mean = round(total(parts) / len(parts)) if parts else None
    return Figure(
        key="availability",
        ja="測定された稼働率",
        en="Availability as measured",
        value=mean,
        parts=parts,
        is_line=True,
        unit=Unit.BASIS_POINTS,
        secrecy=Secrecy.OPEN,
        how_ja="運営者が証拠とともに登録した、データごとの月間稼働率の平均。測定のない月は含まない。",
        how_en="Mean of the monthly availability of datasets that the operator stated with evidence; months without"
        " any are left out.",
    )


def _receipts(year: Year) -> Figure:
    found = rows(_RECEIPTS, year)
    buyers = {one.month: one.buyers for one in found}
    parts = by_month({one.month: one.many for one in found}, buyers)
    return Figure(
        key="receipts",
        ja="署名した受領証",
        en="Receipts signed",
        value=total(parts),
        parts=parts,
        parties=max(buyers.values(), default=0),
        secrecy=Secrecy.TRADED,
        how_ja="配信について署名した受領証の件数。受領証は取引所なしで検証できる。",
        how_en="Receipts that were signed of deliveries; they verify without the exchange.",
    )


def _record() -> Figure:
    size, root = sequencer.root()
    return Figure(
        key="record",
        ja="改ざんを検出できる記録の件数",
        en="Entries of the tamper-evident record",
        value=size,
        secrecy=Secrecy.OPEN,
        how_ja=f"集計時のハッシュ木の葉の数。根は {root.hex()}。marketplace audit verify がこの値と照合する。",
        how_en=f"Leaves of the hash tree when it was counted; its root is {root.hex()}. marketplace audit verify"
        " compares with it.",
    )


def _incidents(year: Year) -> Figure:
    found = {one.kind: one.many for one in rows(_INCIDENTS, year)}
    parts = labelled((label, found.get(kind, 0)) for kind, label in _KINDS.items())
    return Figure(
        key="incidents",
        ja="インシデントと訓練",
        en="Incidents and drills",
        value=total(parts),
        parts=parts,
        # What happened to the exchange is no secret of its buyers, and the public is owed it however rare it is.
        secrecy=Secrecy.OPEN,
        how_ja="その年に起票したインシデントと訓練の件数(incidents.incident.opened)。",
        how_en="Incidents and drills that were opened in the year (incidents.incident.opened).",
    )


def _signs(year: Year) -> Figure:
    verbs = (
        (("使用済みトークンの再使用", "Spent tokens used again"), Verb.TOKENS_REPLAYED),
        (("漏えいの追跡", "Leaks traced"), Verb.LEAK_TRACED),
        (("利用者の無効化", "People disabled"), Verb.PERSON_DISABLED),
    )
    parts: tuple[Part, ...] = labelled((label, total(deeds(year, verb))) for label, verb in verbs)
    return Figure(
        key="signs",
        ja="事故の兆候",
        en="Signs of incidents",
        value=total(parts),
        parts=parts,
        how_ja="identity.tokens.replayed, access.leak.traced, identity.person.disabled の件数。",
        how_en="Entries of identity.tokens.replayed, access.leak.traced and identity.person.disabled.",
    )
