"""The header fields that keep browsers from doing harm with our answers, on every response."""

from flask import Flask, Response, request

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SECURE_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def of_every_answer(base_url: str) -> dict[str, str]:
    """Return what even the answers have that the server gives before the application is asked."""
    return ALWAYS | (SECURE_TRANSPORT if base_url.startswith("https://") else {})


def register(app: Flask, base_url: str) -> None:
    """Complete every response of the application; what a route has set itself stays as it is."""
    always = of_every_answer(base_url)

    @app.after_request
    def complete(response: Response) -> Response:
        for name, value in always.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", PAGE if response.mimetype == "text/html" else NOTHING)
        if "Authorization" in request.headers:
            # What was made for one caller stays out of caches.
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
