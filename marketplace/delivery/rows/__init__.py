"""Pages of rows of a tabular file: a structured query, read by DuckDB in a confined process of its own."""
