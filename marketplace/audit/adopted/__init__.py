"""Records of exchanges that others ran before, with their proofs."""
