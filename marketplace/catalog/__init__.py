"""What is offered: datasets, immutable releases, files, profiles, search."""
