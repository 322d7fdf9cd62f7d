"""A provider's own HTTP interface, which buyers of a dataset ask through the exchange: what of it is offered."""
