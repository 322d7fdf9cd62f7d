"""What an incident touches, computed from the entries of the record: the same answer each time.

A delivery is touched where it ran within the time span and lies within every scope that is named. A grant is where it
was worth something within the time span and opens what is named, or has such a delivery. What tables say by now of
grants and deliveries decides nothing: a row can be changed, an entry cannot.
"""

from sqlalchemy import TextClause, text

from marketplace.audit.verbs import Verb
from marketplace.kit.db import db

_VERBS = {
    "received": Verb.FILE_RECEIVED, "declared": Verb.FILE_DECLARED, "registered": Verb.CLIENT_REGISTERED,
    "issued": Verb.GRANT_ISSUED, "renewed": Verb.GRANT_RENEWED, "extended": Verb.GRANT_EXTENDED,
    "with_more": Verb.GRANT_OPENED,
    "revoked": Verb.GRANT_REVOKED, "reinstated": Verb.GRANT_REINSTATED, "opened": Verb.DELIVERY_OPENED,
    "closed": Verb.DELIVERY_CLOSED, "reported": Verb.DELIVERY_REPORTED, "signed": Verb.RECEIPT_SIGNED,
    "rested": Verb.GRANT_SUSPENDED,
}  # fmt: skip
# A file's own hash names what was made of it too: a part, a traced copy, a page of its rows. Entries of before the
# upgrade that brought incidents leave out the file of a delivery and the end of a grant; of those alone the row tells.
_DELIVERIES = """
WITH named AS (
  SELECT e.subject AS file_id FROM incident i, audit_entry e
   WHERE i.id = :incident_id AND e.verb IN (:received, :declared) AND i.sha256s ? (e.facts ->> 'sha256')),
told AS (
  SELECT o.*, o.facts ->> 'grant_id' AS grant_id, o.facts ->> 'release_id' AS release_id,
         o.facts ->> 'sha256' AS sha256,
         coalesce(o.facts ->> 'file_id', (SELECT d.file_id FROM delivery d WHERE d.id = o.subject)) AS file_id,
         CAST(o.facts ->> 'start_byte' AS bigint) AS start_byte, CAST(o.facts ->> 'length' AS bigint) AS length,
         c.occurred_at AS closed_at, coalesce(c.facts ->> 'state', 'open') AS state,
         coalesce(CAST(c.facts ->> 'bytes_acked' AS bigint), 0) AS bytes_acked
    FROM audit_entry o LEFT JOIN audit_entry c ON c.subject = o.subject AND c.verb = :closed
   WHERE o.verb = :opened{only})
INSERT INTO incident_delivery (incident_id, delivery_id, grant_id, organization_id, client_id, dataset_id, release_id,
                               file_id, sha256, start_byte, bytes_received, state, opened_at, closed_at, receipt)
SELECT i.id, t.subject, t.grant_id, t.organization_id, t.client_id, t.dataset_id, t.release_id,
       t.file_id, t.sha256, t.start_byte, least(t.length, greatest(t.bytes_acked, (
         SELECT max(CAST(r.facts ->> 'bytes_sent' AS bigint)) FROM audit_entry r
          WHERE r.subject = t.subject AND r.verb = :reported))), t.state, t.occurred_at, t.closed_at,
       EXISTS (SELECT FROM audit_entry r WHERE r.subject = t.subject AND r.verb = :signed)
  FROM incident i, told t
 WHERE i.id = :incident_id
   AND t.occurred_at <= coalesce(i.ended_at, i.assessed_at) AND coalesce(t.closed_at, 'infinity') >= i.began_at
   AND (i.dataset_ids = '[]' OR i.dataset_ids ? t.dataset_id)
   AND (i.release_ids = '[]' OR i.release_ids ? t.release_id)
   AND (i.sha256s = '[]' OR i.sha256s ? t.sha256 OR t.file_id IN (SELECT file_id FROM named))
   AND (i.organization_ids = '[]' OR i.organization_ids ? t.organization_id OR i.organization_ids ? t.counterparty_id)
   AND (i.client_ids = '[]' OR i.client_ids ? t.client_id)
ON CONFLICT (incident_id, delivery_id) DO UPDATE
   SET bytes_received = excluded.bytes_received, state = excluded.state, closed_at = excluded.closed_at,
       receipt = excluded.receipt
 WHERE (incident_delivery.bytes_received, incident_delivery.state, incident_delivery.closed_at,
        incident_delivery.receipt)
       IS DISTINCT FROM (excluded.bytes_received, excluded.state, excluded.closed_at, excluded.receipt)
"""
# What was placed in the tree since, and what waits for its place: instants say nothing of who committed late.
_NEWS = """(SELECT e.subject, e.verb FROM audit_entry e JOIN (
    SELECT entry_id FROM audit_leaf WHERE position >= :since UNION ALL SELECT entry_id FROM audit_waiting
  ) AS come ON come.entry_id = e.id) AS news"""
_ONLY_NEWS = f" AND o.subject IN (SELECT news.subject FROM {_NEWS})"  # noqa: S608 - a constant of this module
# When a grant was worth something: from its issue and each renewal to the end that they name, but for the times between
# a revocation and its undoing. A release that is published later is opened to those of scope ``all`` that are then.
# One that came after the span and rests all the same is touched as well: its buyer is told why.
_GRANTS = """
WITH given AS (
  SELECT e.subject, range_agg(tstzrange(e.occurred_at, CASE WHEN e.facts ? 'expires_at'
           THEN CAST(e.facts ->> 'expires_at' AS timestamptz)
           ELSE (SELECT g.expires_at FROM access_grant g WHERE g.id = e.subject) END)) AS times
    FROM audit_entry e WHERE e.verb IN (:issued, :renewed) GROUP BY e.subject),
taken AS (
  SELECT subject, range_agg(tstzrange(occurred_at, back_at)) AS times FROM (
    SELECT subject, verb, occurred_at, lead(occurred_at) OVER (PARTITION BY subject ORDER BY occurred_at, id) AS back_at
      FROM audit_entry WHERE verb IN (:revoked, :reinstated)) AS turn
   WHERE verb = :revoked GROUP BY subject),
told AS (
  SELECT e.subject AS id, e.facts ->> 'organization_id' AS organization_id, e.counterparty_id, e.dataset_id, e.facts,
         given.times - coalesce(taken.times, '{}') AS times
    FROM audit_entry e JOIN given ON given.subject = e.subject LEFT JOIN taken ON taken.subject = e.subject
   WHERE e.verb = :issued),
opens AS (
  SELECT t.id, r.release_id FROM told t, jsonb_array_elements_text(t.facts -> 'release_ids') AS r (release_id)
   UNION
  SELECT t.id, r.release_id FROM told t JOIN audit_entry e ON e.subject = t.id AND e.verb = :with_more
         CROSS JOIN LATERAL jsonb_array_elements_text(e.facts -> 'release_ids') AS r (release_id)
   UNION
  SELECT t.id, e.subject FROM told t JOIN audit_entry e ON e.dataset_id = t.dataset_id AND t.times @> e.occurred_at
   WHERE e.verb = :extended AND t.facts ->> 'release_scope' = 'all'),
named AS (SELECT * FROM incident WHERE id = :incident_id),
with_release AS (SELECT o.id FROM named i JOIN opens o ON i.release_ids ? o.release_id),
with_file AS (
  SELECT o.id
    FROM named i JOIN audit_entry f ON f.verb IN (:received, :declared) AND i.sha256s ? (f.facts ->> 'sha256')
    JOIN opens o ON o.release_id = f.facts ->> 'release'),
with_client AS (
  SELECT c.counterparty_id AS organization_id
    FROM named i JOIN audit_entry c ON c.verb = :registered AND i.client_ids ? c.subject),
at_rest AS (SELECT subject FROM audit_entry WHERE verb = :rested AND facts ->> 'ref' = :incident_id)
INSERT INTO incident_grant (incident_id, grant_id, organization_id, provider_organization_id, dataset_id, deliveries,
                            bytes_received, contents, suspended)
SELECT i.id, t.id, t.organization_id, t.counterparty_id, t.dataset_id, 0, 0, '[]',
       t.id IN (SELECT subject FROM at_rest)
  FROM named i, told t
 WHERE (t.id IN (SELECT grant_id FROM incident_delivery WHERE incident_id = :incident_id)
     OR t.id IN (SELECT subject FROM at_rest)
     OR (t.times && tstzrange(i.began_at, coalesce(i.ended_at, i.assessed_at), '[]')
         AND (i.dataset_ids = '[]' OR i.dataset_ids ? t.dataset_id)
         AND (i.release_ids = '[]' OR t.id IN (SELECT id FROM with_release))
         AND (i.sha256s = '[]' OR t.id IN (SELECT id FROM with_file))
         AND (i.organization_ids = '[]' OR i.organization_ids ? t.organization_id
              OR i.organization_ids ? t.counterparty_id)
         AND (i.client_ids = '[]' OR t.organization_id IN (SELECT organization_id FROM with_client))))
ON CONFLICT DO NOTHING
"""
# Deliveries are many and grants are few: those are read anew as soon as any entry tells something of grants.
_ASKS_FOR_GRANTS = text(f"""
SELECT EXISTS (SELECT FROM {_NEWS} WHERE news.verb = ANY(:verbs))
    OR EXISTS (SELECT FROM incident_delivery d WHERE d.incident_id = :incident_id AND NOT EXISTS (
       SELECT FROM incident_grant g WHERE g.incident_id = d.incident_id AND g.grant_id = d.grant_id))
""")  # noqa: S608 - a constant of this module
# Bytes that came twice are the same bytes: what somebody has is the union.
_SUMS = text("""
WITH content AS (
  SELECT grant_id, sha256, count(*) AS deliveries,
         range_agg(int8range(start_byte, start_byte + bytes_received)) AS came,
         coalesce(jsonb_agg(DISTINCT file_id) FILTER (WHERE file_id IS NOT NULL), '[]') AS file_ids
    FROM incident_delivery WHERE incident_id = :incident_id GROUP BY grant_id, sha256),
measured AS (
  SELECT grant_id, sha256, deliveries, came, file_ids,
         (SELECT coalesce(sum(upper(one) - lower(one)), 0) FROM unnest(came) AS one) AS bytes FROM content),
total AS (
  SELECT grant_id, sum(deliveries) AS deliveries, sum(bytes) AS bytes,
         jsonb_agg(jsonb_build_object('sha256', sha256, 'bytes', bytes, 'ranges', came::text, 'file_ids', file_ids)
                   ORDER BY sha256 COLLATE "C") AS contents
    FROM measured GROUP BY grant_id)
UPDATE incident_grant i SET deliveries = t.deliveries, bytes_received = t.bytes, contents = t.contents
  FROM total t WHERE i.incident_id = :incident_id AND i.grant_id = t.grant_id
   AND (i.deliveries, i.bytes_received, i.contents) IS DISTINCT FROM (t.deliveries, t.bytes, t.contents)
""")
_COUNTS = text("""
SELECT (SELECT count(*) FROM incident_grant WHERE incident_id = :incident_id) AS grants,
       (SELECT count(DISTINCT organization_id) FROM incident_grant WHERE incident_id = :incident_id) AS buyers,
       (SELECT count(DISTINCT provider_organization_id) FROM incident_grant
         WHERE incident_id = :incident_id) AS providers,
       (SELECT count(DISTINCT organization_id) FROM incident_grant
         WHERE incident_id = :incident_id AND bytes_received > 0) AS receivers,
       (SELECT coalesce(sum(bytes_received), 0)::bigint FROM incident_grant
         WHERE incident_id = :incident_id) AS bytes_received,
       count(*) AS deliveries, count(*) FILTER (WHERE receipt) AS receipts, count(DISTINCT sha256) AS contents
  FROM incident_delivery WHERE incident_id = :incident_id
""")
# The lines that anybody can make of the list of deliveries as the API gives it, oldest first.
_HASH = text("""
SELECT encode(sha256(convert_to(coalesce(string_agg(
         delivery_id || ' ' || sha256 || ' ' || start_byte || ' ' || bytes_received || E'\\n', ''
         ORDER BY delivery_id COLLATE "C"), ''), 'UTF8')), 'hex')
  FROM incident_delivery WHERE incident_id = :incident_id
""")


def find(incident_id: str, since: int | None = None) -> tuple[dict[str, int], str]:
    """Note what an incident touches until ``ended_at``, or ``assessed_at``; return the counts and the list's hash.

    Asked again it adds what has come to light since and never takes anything away. With ``since`` it reads the entries
    from that place in the tree on, and those that have none yet, where all before were read.
    """
    asked = {"incident_id": incident_id}
    news = {} if since is None else {"since": since}
    deliveries = _DELIVERIES.format(only=_ONLY_NEWS if news else "")
    db.session.execute(_from_the_record(deliveries), asked | news)
    if not news or db.session.scalar(_ASKS_FOR_GRANTS, asked | news | {"verbs": [*_named_in(_GRANTS).values()]}):
        db.session.execute(_from_the_record(_GRANTS), asked)
    db.session.execute(_SUMS, asked)
    counts = db.session.execute(_COUNTS, asked).mappings().one()
    return dict(counts), str(db.session.scalar(_HASH, asked))


def _from_the_record(statement: str) -> TextClause:
    return text(statement).bindparams(**_named_in(statement))


def _named_in(statement: str) -> dict[str, str]:
    return {name: verb.value for name, verb in _VERBS.items() if f":{name}" in statement}
