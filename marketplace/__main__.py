"""The marketplace command, also as ``python -m marketplace``: a client's commands start without the exchange."""

import sys


def main() -> None:
    """Run the command that the arguments name; only a server's need the database and its settings."""
    from marketplace.client import entry

    if entry.is_meant(sys.argv[1:]):
        entry.main(prog_name="marketplace")
        return
    from marketplace import app

    app.main()


if __name__ == "__main__":
    main()
