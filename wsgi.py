"""The WSGI application, for any server: `gunicorn wsgi:app`."""

from marketplace.app import create_app

app = create_app()
