"""Forgetting tokens and counted failures that have run out."""

from sqlalchemy import delete

from marketplace.identity.models import AccessToken, FailedAuthentication
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction


@jobs.task("identity.forget_expired", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete rows on which nothing depends any more, in a transaction of its own."""
    now = clock.now()
    with transaction():
        db.session.execute(delete(AccessToken).where(AccessToken.expires_at <= now))
        db.session.execute(delete(FailedAuthentication).where(FailedAuthentication.window_ends_at <= now))
