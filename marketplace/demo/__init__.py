"""A whole trade, played over HTTP by four actors."""
