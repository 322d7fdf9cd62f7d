"""The marketplace command: one module per group of subcommands."""

from marketplace.cli.composition import Composition
from marketplace.cli.root import build

__all__ = ["Composition", "build"]
