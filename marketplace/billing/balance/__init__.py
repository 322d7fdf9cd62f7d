"""The gateway's balance, movement by movement, each tied to one transaction of the ledger."""
