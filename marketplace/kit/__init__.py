"""Business-free foundations: database, transactions, settings, errors, clock, ids, money, pages, jobs."""
