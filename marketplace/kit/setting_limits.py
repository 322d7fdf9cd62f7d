"""What each setting may be, by its name: numbers above zero, counts, ranges and choices."""

POSITIVE = (
    "port", "threads", "token_ttl_seconds", "applications_pending_max", "upload_size_bytes_max",
    "s3_timeout_seconds", "s3_cache_bytes_max", "s3_log_hours", "upload_kept_hours",
    "harvest_lines_kept_days",
    "provider_stored_bytes_max", "provider_uploads_open_max", "profile_memory_bytes_max",
    "profile_cpu_seconds_max", "conversion_cpu_seconds_max", "delta_sharing_url_seconds", "webhook_failures_max",
    "row_page_rows_max", "row_page_bytes_max", "row_query_memory_bytes_max", "row_query_cpu_seconds_max",
    "inspection_cpu_seconds_max", "alike_rows_min",
    "row_queries_max", "request_body_bytes_max", "header_fields_max", "form_fields_max", "json_depth_max",
    "stripe_timeout_seconds", "watch_night_bytes", "watch_dormant_days", "log_witnesses_seconds",
)  # fmt: skip
COUNTS = (
    "preview_rows_max", "s3_retries_max", "stripe_max_retries", "hold_days", "credit_limit_yen",
    "overdue_grace_days", "renewal_grace_days", "payout_minimum_yen", "payout_approval_yen",
    "usage_months_kept", "grant_requests_per_minute", "log_witnesses_min",
)  # fmt: skip
# Least, most, and why.
BOUNDED = {
    "konbini_days": (1, 60, ""),
    "bank_transfer_days": (1, 60, ""),
    "outside_days": (1, 366, ""),
    "renewal_lead_days": (1, 25, ""),
    "register_days": (1, 90, ""),
    "s3_link_seconds": (1, 60, ""),
    "port": (1, 65_535, ""),
    "token_ttl_seconds": (1, 3600, ""),
    "incident_preliminary_days": (1, 5, ""),
    "assessment_objection_days": (1, 90, ": whoever might object needs a day at least"),
    "review_days_max": (1, 90, ""),
    "register_threshold": (3, 1000, ": fewer than 2 would be told as 1"),
    "data_requests_open_max": (1, 10_000, ""),
    "saved_searches_max": (1, 10_000, ""),
    "pledges_shown_min": (3, 1000, ": of two, each knows the other's"),
    "price_guidance_min": (5, 1000, ": fewer would tell single deals"),
    "documents_years_kept": (7, 100, ": tax law asks for seven years at least"),
    "commission_basis_points": (0, 9999, " (1000 is 10 %)"),
    "request_line_bytes_max": (1, 8190, ", the most that the server reads"),
    "header_bytes_max": (1, 8190, ", the most that the server reads"),
}
CHOICES = {
    "worker_class": (("threads", "events"), "threads (gunicorn's loop) or events (a loop of our own)"),
    "unread_files": (("medium", "note"), "medium (a person answers for them) or note (they pass)"),
    "seller": (("agent", "principal"), "agent (providers sell) or principal (the exchange sells)"),
    "stripe_connect": (("off", "transfers"), "off (payouts by bank) or transfers (to connected accounts)"),
    "proxy_header": (("X-Forwarded-For", "Forwarded"), "X-Forwarded-For or Forwarded, as your proxy sends"),
    "trust_to_sell": (("verified", "qualified"), "verified, or qualified (chosen sellers alone)"),
    "search_index": (
        ("shared", "own"),
        "shared (written by the worker), or own (this machine's, made from the database)",
    ),
    "security_profile": (("baseline", "fapi2"), "baseline, or fapi2 (PAR, DPoP and keys for all clients)"),
}
