"""Model Context Protocol: what agents may find out of the catalogue, and fetch within a budget that a person set."""
