"""Interoperability and openness: formats, open licences, ways in and out."""

from collections.abc import Iterator

from marketplace.audit.verbs import Verb
from marketplace.disclosure.annual.figures import Figure, Part, Secrecy, labelled, total
from marketplace.disclosure.annual.reading import Year, deeds, row, rows

_FORMATS = """
SELECT upper(format) AS format, count(*) AS many
  FROM listing, jsonb_array_elements_text(document->'formats') AS format GROUP BY 1 ORDER BY 2 DESC, 1
"""
FORMATS_SHOWN = 8
_LICENSED = """
SELECT (SELECT count(*) FROM listing) AS listed, count(DISTINCT o.dataset_id) AS licensed
  FROM offer o JOIN terms t ON t.id = o.terms_id JOIN listing l ON l.dataset_id = o.dataset_id
 WHERE o.state = 'open' AND o.buyer_organization_id IS NULL AND t.template IN ('cc-by-4.0', 'gjstu-2.0')
"""
_WAYS = """
SELECT meter, count(*) AS many, count(DISTINCT organization_id) AS buyers
  FROM delivery WHERE closed_at >= :first AND closed_at < :after GROUP BY 1 ORDER BY 1
"""
_METERS = {
    "server": ("取引所から", "From the exchange"),
    "edge-log": ("オブジェクトストレージから", "From a bucket"),
    "origin": ("提供者のサーバーから", "From the provider's server"),
}
_PROVIDED = """
SELECT (SELECT count(*) FROM conversion WHERE state = 'done') AS tables,
       (SELECT count(*) FROM upstream) AS apis, (SELECT count(*) FROM release_source) AS sources
"""
_CLIENTS = """
SELECT authentication_method AS way, count(*) AS many FROM api_client WHERE state = 'active' GROUP BY 1 ORDER BY 1
"""
_PROOFS = {
    "private_key_jwt": ("鍵(private_key_jwt)", "By a key (private_key_jwt)"),
    "client_secret_basic": ("共有秘密", "By a secret"),
    "none": ("公開クライアント", "Public clients"),
}


def figures(year: Year) -> Iterator[Figure]:
    """Yield the figures of the principle."""
    yield _formats(year)
    yield _licensed(year)
    yield _ways(year)
    yield _provided(year)
    yield _imported(year)
    yield _clients(year)


def _formats(year: Year) -> Figure:
    found = rows(_FORMATS, year)
    return Figure(
        key="formats",
        ja="データの形式",
        en="Formats of data",
        value=len(found),
        secrecy=Secrecy.OPEN,
        parts=tuple(Part(one.format, one.format, one.many) for one in found[:FORMATS_SHOWN]),
        how_ja="公開カタログにある形式の数。棒はその形式のファイルを持つデータの数(多い順に8まで)。",
        how_en="Formats in the public catalogue; the bars are datasets with a file of each, the eight most frequent.",
    )


def _licensed(year: Year) -> Figure:
    found = row(_LICENSED, year)
    return Figure(
        key="open_licences",
        ja="オープンライセンスのデータ",
        en="Datasets under an open licence",
        value=found.licensed,
        of=found.listed,
        secrecy=Secrecy.OPEN,
        how_ja="公開カタログのうち、CC BY 4.0 または政府標準利用規約(第2.0版)で誰にでも提供されるもの。",
        how_en="Of the public catalogue, those offered to everybody under CC BY 4.0 or the Japanese government's"
        " standard terms 2.0.",
    )


def _ways(year: Year) -> Figure:
    found = rows(_WAYS, year)
    parts = tuple(Part(*_METERS[one.meter], one.many, one.buyers) for one in found)
    return Figure(
        key="ways",
        ja="配信の経路",
        en="Deliveries by where they came from",
        value=total(parts),
        parts=parts,
        parties=max((one.buyers for one in found), default=0),
        secrecy=Secrecy.TRADED,
        how_ja="その年に終わった配信の件数。",
        how_en="Deliveries that ended in the year.",
    )


def _provided(year: Year) -> Figure:
    found = row(_PROVIDED, year)
    counts = (
        (("Parquet表(Delta Sharing)", "Parquet tables (Delta Sharing)"), found.tables),
        (("提供者のAPI", "Providers' APIs"), found.apis),
        (("定期取得元", "Sources fetched by the clock"), found.sources),
    )
    parts = labelled(counts)
    return Figure(
        key="provided",
        ja="機械から使える提供",
        en="What machines can use",
        value=total(parts),
        parts=parts,
        secrecy=Secrecy.OPEN,
        how_ja="集計日の数。表はDelta Sharingと行APIで読める。",
        how_en="On the day of counting; tables can be read by Delta Sharing and by rows.",
    )


def _imported(year: Year) -> Figure:
    parts = deeds(year, Verb.DATASET_IMPORTED)
    return Figure(
        key="imported",
        ja="CKANからの取込み",
        en="Datasets imported from CKAN",
        value=total(parts),
        parts=parts,
        secrecy=Secrecy.OPEN,
        how_ja="その年に取り込んだデータの件数(catalog.dataset.imported)。",
        how_en="Datasets imported in the year (catalog.dataset.imported).",
    )


def _clients(year: Year) -> Figure:
    parts = labelled((_PROOFS[one.way], one.many) for one in rows(_CLIENTS, year))
    return Figure(
        key="clients",
        ja="接続プログラム(認証方法別)",
        en="API clients by how they prove themselves",
        value=total(parts),
        parts=parts,
        how_ja="集計日に有効なAPIクライアントの数(OAuth 2.0)。",
        how_en="API clients active on the day of counting (OAuth 2.0).",
    )
