"""The marketplace command, also as ``python -m marketplace``: a client's commands start without the exchange."""

import gc
import sys
from collections.abc import Callable


def main() -> None:
    """Run the command that the arguments name; only a server's need the database and its settings."""
    # Modules stay until the process ends: the collector, which would look through them while they load and once more
    # at the end, costs a third of a short command.
    gc.disable()
    run = _command()
    gc.freeze()
    gc.enable()
    run()


def _command() -> Callable[[], None]:
    """Load a client's commands by themselves if one of them is meant, else the exchange."""
    from marketplace.client import entry

    if entry.is_meant(sys.argv[1:]):
        return lambda: entry.main(prog_name="marketplace")
    from marketplace import app

    return app.main


if __name__ == "__main__":
    main()
