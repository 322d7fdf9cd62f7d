"""What is written of cases, overrides, incidents and holds: the database lets nobody take it away or change its end."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.kit.db import db
from tests.factories import market

NOW = "timestamptz '2026-11-01 00:00:00+00'"
ROWS = f"""
INSERT INTO case_file (id, rule, subject, span, state, opened_at, evidence, figures)
VALUES ('cas_1', 'r', 's', '2026', 'open', {NOW}, '[]', '{{}}');
INSERT INTO case_note (id, case_id, organization_id, written_at, words) VALUES ('not_1', 'cas_1', 'o', {NOW}, 'seen');
INSERT INTO override (id, deed, about, arguments, reason, state, organization_id, person_id, member_id, proposed_at,
  expires_at, ended_at)
SELECT id, 'refund', 'inv_1', '{{}}', 'why', state, :operator, 'per_1', 'mem_1', {NOW}, {NOW}, ended_at
  FROM (VALUES ('ovr_1', 'proposed', NULL), ('ovr_2', 'withdrawn', {NOW})) AS made (id, state, ended_at);
INSERT INTO legal_hold (id, subject, reason, placed_by, placed_at, lifted_at, lifted_by, lifted_reason)
SELECT id, 'org_' || repeat('0', 32), 'why', 'o', {NOW}, lifted_at, by, by
  FROM (VALUES ('hld_1', NULL, NULL), ('hld_2', {NOW}, 'o')) AS made (id, lifted_at, by);
INSERT INTO incident (id, kind, state, drill, personal_data, deliberate, summary_ja, summary_en, began_at, noticed_at,
  dataset_ids, release_ids, sha256s, organization_ids, client_ids, suspends, opened_by, opened_at, closed_at, report,
  report_sha256)
SELECT id, 'leak', state, false, false, false, '', '', {NOW}, {NOW}, '[]', '[]', '[]', '[]', '[]', '[]', :operator,
       {NOW}, closed_at, report, report
  FROM (VALUES ('inc_1', 'open', NULL, NULL), ('inc_2', 'closed', {NOW}, 'over')) AS made (id, state, closed_at, report);
INSERT INTO incident_duty (incident_id, stage, due_at) VALUES ('inc_1', 'full', {NOW});
INSERT INTO incident_grant (incident_id, grant_id, organization_id, provider_organization_id, dataset_id, deliveries,
  bytes_received, contents, suspended) VALUES ('inc_1', 'g', 'o', 'p', 'd', 0, 0, '[]', false);
INSERT INTO incident_delivery (incident_id, delivery_id, grant_id, organization_id, dataset_id, release_id, sha256,
  start_byte, bytes_received, state, opened_at, receipt)
VALUES ('inc_1', 'd', 'g', 'o', 'd', 'r', 's', 0, 0, 'open', {NOW}, false);
INSERT INTO incident_notice (id, incident_id, addressee, recipient, queued_at, due_at)
VALUES ('inn_1', 'inc_1', 'authority', 'authority', {NOW}, {NOW});
"""
KEPT = (
    "case_note", "override", "legal_hold", "incident", "incident_duty", "incident_grant", "incident_delivery",
    "incident_notice",
)  # fmt: skip
REFUSED = [how.format(table) for table in KEPT for how in ("DELETE FROM {}", "TRUNCATE {} CASCADE")] + [
    "UPDATE case_note SET words = 'not seen'",
    "UPDATE override SET reason = 'other' WHERE id = 'ovr_2'",
    "UPDATE legal_hold SET lifted_at = NULL, lifted_by = NULL, lifted_reason = NULL WHERE id = 'hld_2'",
    "UPDATE legal_hold SET reason = 'other' WHERE id = 'hld_1'",
    "UPDATE incident SET report = 'other' WHERE id = 'inc_2'",
]
ALLOWED = [
    "UPDATE override SET state = 'withdrawn', ended_at = now() WHERE id = 'ovr_1'",
    "UPDATE legal_hold SET lifted_at = now(), lifted_by = 'o', lifted_reason = 'over' WHERE id = 'hld_1'",
    "UPDATE incident SET assessed_at = now() WHERE id = 'inc_1'",
    "UPDATE incident_notice SET sent_at = now()",
]


def test_nothing_of_it_is_taken_away_and_what_is_over_stays_as_it_is(app: Flask) -> None:
    operator = market.party(operator=True).organization_id
    for statement in filter(str.strip, ROWS.split(";\n")):
        said = text(statement)
        db.session.execute(said, {"operator": operator} if ":operator" in statement else {})
    for statement in ALLOWED:
        with db.session.begin_nested() as kept:
            assert db.session.execute(text(statement)).rowcount == 1
            kept.rollback()
    for statement in REFUSED:
        with pytest.raises(DBAPIError) as refused, db.session.begin_nested():
            db.session.execute(text(statement))
        assert refused.value.orig.sqlstate == "23001", statement
