"""What addresses in settings are: origins, and whether what goes there can be read on the way."""

from urllib.parse import parse_qs, urlsplit

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def is_origin(url: str) -> bool:
    """Tell whether a text is the origin of a web site and nothing more (RFC 6454 section 6.2)."""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and parts.port != 0
            and url == origin
        )
    except ValueError:  # a port that is none, a bracket without its pair
        return False


def is_guarded(database_url: str) -> bool:
    """Tell whether a database is reached within this machine, or by TLS alone."""
    parts = urlsplit(database_url)
    more = parse_qs(parts.query)
    hosts = more.get("host", [parts.hostname or ""])[-1].split(",")
    within = all(not host or host in LOOPBACK or host.lower().startswith(("/", "%2f")) for host in hosts)
    return within or more.get("sslmode", [""])[-1] in {"require", "verify-ca", "verify-full"}


def is_loopback(url: str) -> bool:
    """Tell whether an address leads to this machine."""
    return urlsplit(url).hostname in LOOPBACK
