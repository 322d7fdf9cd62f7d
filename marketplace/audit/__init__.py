"""The record of every deed: append-only entries linked into a Merkle tree."""
