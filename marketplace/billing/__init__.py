"""Money: orders, rating, ledger, invoices and tax, payments."""
