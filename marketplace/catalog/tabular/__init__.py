"""Making Parquet of the tables that files hold, inside a sandboxed subprocess, once and the same each time."""

from marketplace.catalog.profiling.result import Unreadable
from marketplace.catalog.tabular.parent import TABULAR, Converted, convert_file, is_tabular

__all__ = ["TABULAR", "Converted", "Unreadable", "convert_file", "is_tabular"]
