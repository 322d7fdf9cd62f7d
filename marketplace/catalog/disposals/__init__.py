"""Contents that may be nobody's any more: asked about, and removed from the store if so."""
