"""``python -m marketplace`` is the marketplace command."""

from marketplace.app import main

main()
