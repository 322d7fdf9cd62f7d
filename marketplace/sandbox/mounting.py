"""Mounting the sandbox on an application."""

from flask import Blueprint

from marketplace.sandbox import api, control_routes, delivery, pages
from marketplace.sandbox.config import EXTENSION, SandboxConfig

JOBS = (delivery.deliver, delivery.expire)


def blueprint(config: SandboxConfig) -> Blueprint:
    """Return the sandbox as a blueprint for ``/sandbox``; one per application.

    stripe-python reaches it with ``base_addresses={"api": base_url + "/sandbox"}``. The jobs
    ``sandbox.deliver`` and ``sandbox.expire`` find ``config`` on the application it is mounted on.
    """
    mounted = Blueprint("sandbox", __name__, url_prefix="/sandbox", template_folder="templates", static_folder="static")
    mounted.record_once(lambda state: state.app.extensions.update({EXTENSION: config}))
    api.add_routes(mounted, config)
    pages.add_routes(mounted, config)
    control_routes.add_routes(mounted, config)
    return mounted
