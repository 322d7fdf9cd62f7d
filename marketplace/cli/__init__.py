"""The marketplace command: one module per group of subcommands."""
