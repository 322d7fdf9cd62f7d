"""The union of byte ranges delivered per grant and content, kept by PostgreSQL's multiranges, and its downloads."""

# A download falls due once for whatever of the content was received, by the first byte or by all of it, and makes the
# content free to those that began until ``free_until``. ``pending`` is what counts towards the next one: nothing where
# the price counts no downloads, and none of what was free.
_DUE = """
CASE CAST(:download_due AS text)
WHEN 'first_byte' THEN true WHEN 'full_coverage' THEN {received} @> int8range(0, :content_bytes) ELSE false END
"""
# ON CONFLICT locks the row, so that the union, its measure and its growth are of one moment even when
# many deliveries of the same content end together.
ABSORB = f"""
INSERT INTO coverage AS c (grant_id, sha256, ranges, bytes_covered, bytes_added, pending, free_until, downloads_added)
SELECT :grant_id, :sha256, span, :end - :first, :end - :first,
       CASE WHEN is_due OR CAST(:download_due AS text) IS NULL THEN '{{}}' ELSE span END,
       CASE WHEN is_due THEN CAST(:free_until AS timestamptz) END, CAST(is_due AS integer)
  FROM (SELECT int8multirange(int8range(:first, :end)) AS span WHERE :end > :first) AS received,
       LATERAL (SELECT {_DUE.format(received="span")} AS is_due) AS judged
ON CONFLICT (grant_id, sha256) DO UPDATE
   SET (ranges, bytes_covered, bytes_added) = (
       SELECT c.ranges + EXCLUDED.ranges, measured.bytes, measured.bytes - c.bytes_covered
         FROM (SELECT sum(upper(r) - lower(r)) AS bytes FROM unnest(c.ranges + EXCLUDED.ranges) AS r) AS measured),
       (pending, free_until, downloads_added) = (
       SELECT CASE WHEN is_due THEN '{{}}' WHEN is_free OR CAST(:download_due AS text) IS NULL THEN c.pending
                   ELSE received END,
              CASE WHEN is_due THEN CAST(:free_until AS timestamptz) ELSE c.free_until END, CAST(is_due AS integer)
         FROM (SELECT c.pending + EXCLUDED.ranges AS received, coalesce(c.free_until > :opened_at, false) AS is_free)
              AS told,
              LATERAL (SELECT NOT is_free AND {_DUE.format(received="received")} AS is_due) AS judged)
RETURNING bytes_added, bytes_covered, downloads_added
"""  # noqa: S608 - made of constants
