"""The gunicorn worker that sends files outside the thread pool and counts what was acknowledged."""
