"""The HTTP JSON interface: one module per resource."""
