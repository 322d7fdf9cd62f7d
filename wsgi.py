"""The WSGI application, for any server: `gunicorn wsgi:app`. It neither migrates nor works in the background."""

from marketplace.api import boundary
from marketplace.app import create_app

app = create_app()
boundary.await_schema(app)
