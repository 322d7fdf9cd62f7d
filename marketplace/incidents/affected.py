"""What an incident touches, from the grants, the deliveries and their receipts: the same answer each time.

A delivery is touched where it ran within the time span and lies within every scope that is named. A grant is where it
was worth something within the time span and opens what is named, or has such a delivery.
"""

from sqlalchemy import text

from marketplace.kit.db import db

# A file's own hash names what was made of it too: a part, a traced copy, a page of its rows.
_DELIVERIES = text("""
INSERT INTO incident_delivery (incident_id, delivery_id, grant_id, organization_id, client_id, dataset_id, release_id,
                               file_id, sha256, start_byte, bytes_received, state, opened_at, closed_at, receipt)
SELECT i.id, d.id, d.grant_id, d.organization_id, d.client_id, d.dataset_id, d.release_id, d.file_id, d.sha256,
       d.start_byte, coalesce(d.bytes_acked, d.progress), d.state, d.opened_at, d.closed_at,
       EXISTS (SELECT FROM receipt r WHERE r.delivery_id = d.id)
  FROM incident i, delivery d JOIN file f ON f.id = d.file_id
 WHERE i.id = :incident_id
   AND d.opened_at <= coalesce(i.ended_at, i.assessed_at) AND coalesce(d.closed_at, 'infinity') >= i.began_at
   AND (i.dataset_ids = '[]' OR i.dataset_ids ? d.dataset_id)
   AND (i.release_ids = '[]' OR i.release_ids ? d.release_id)
   AND (i.sha256s = '[]' OR i.sha256s ? d.sha256 OR i.sha256s ? f.sha256)
   AND (i.organization_ids = '[]' OR i.organization_ids ? d.organization_id
        OR i.organization_ids ? d.provider_organization_id)
   AND (i.client_ids = '[]' OR i.client_ids ? d.client_id)
ON CONFLICT (incident_id, delivery_id) DO UPDATE
   SET bytes_received = excluded.bytes_received, state = excluded.state, closed_at = excluded.closed_at,
       receipt = excluded.receipt
""")
_GRANTS = text("""
INSERT INTO incident_grant (incident_id, grant_id, organization_id, provider_organization_id, dataset_id, deliveries,
                            bytes_received, contents, suspended)
SELECT i.id, g.id, g.organization_id, g.provider_organization_id, g.dataset_id, 0, 0, '[]', false
  FROM incident i, access_grant g
 WHERE i.id = :incident_id
   AND (EXISTS (SELECT FROM incident_delivery d WHERE d.incident_id = i.id AND d.grant_id = g.id)
     OR (g.starts_at <= coalesce(i.ended_at, i.assessed_at)
         AND coalesce(least(g.expires_at, g.revoked_at), 'infinity') >= i.began_at
         AND (i.dataset_ids = '[]' OR i.dataset_ids ? g.dataset_id)
         AND (i.release_ids = '[]' OR EXISTS (
              SELECT FROM access_grant_release r WHERE r.grant_id = g.id AND i.release_ids ? r.release_id))
         AND (i.sha256s = '[]' OR EXISTS (
              SELECT FROM access_grant_release r JOIN file f ON f.release_id = r.release_id
               WHERE r.grant_id = g.id AND i.sha256s ? f.sha256))
         AND (i.organization_ids = '[]' OR i.organization_ids ? g.organization_id
              OR i.organization_ids ? g.provider_organization_id)
         AND (i.client_ids = '[]' OR EXISTS (
              SELECT FROM api_client c WHERE c.organization_id = g.organization_id AND i.client_ids ? c.id))))
ON CONFLICT DO NOTHING
""")
# Bytes that came twice are the same bytes: what somebody has is the union.
_SUMS = text("""
WITH content AS (
  SELECT grant_id, sha256, count(*) AS deliveries, range_agg(int8range(start_byte, start_byte + bytes_received)) AS came
    FROM incident_delivery WHERE incident_id = :incident_id GROUP BY grant_id, sha256),
measured AS (
  SELECT grant_id, sha256, deliveries, came,
         (SELECT coalesce(sum(upper(one) - lower(one)), 0) FROM unnest(came) AS one) AS bytes FROM content),
total AS (
  SELECT grant_id, sum(deliveries) AS deliveries, sum(bytes) AS bytes,
         jsonb_agg(jsonb_build_object('sha256', sha256, 'bytes', bytes, 'ranges', came::text)
                   ORDER BY sha256 COLLATE "C") AS contents
    FROM measured GROUP BY grant_id)
UPDATE incident_grant i SET deliveries = t.deliveries, bytes_received = t.bytes, contents = t.contents
  FROM total t WHERE i.incident_id = :incident_id AND i.grant_id = t.grant_id
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


def find(incident_id: str) -> tuple[dict[str, int], str]:
    """Note what an incident touches until ``ended_at``, or ``assessed_at``; return the counts and the list's hash.

    Asked again it adds what has come to light since and never takes anything away.
    """
    asked = {"incident_id": incident_id}
    for statement in (_DELIVERIES, _GRANTS, _SUMS):
        db.session.execute(statement, asked)
    counts = db.session.execute(_COUNTS, asked).mappings().one()
    return dict(counts), str(db.session.scalar(_HASH, asked))
