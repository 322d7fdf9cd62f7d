"""Payment rails, each behind one module."""
