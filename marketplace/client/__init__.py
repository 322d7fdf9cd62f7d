"""The command line as a client of any exchange: signing in, finding, buying, fetching."""
