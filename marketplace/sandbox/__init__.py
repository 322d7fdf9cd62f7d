"""A Stripe-wire server for trying and testing; knows only the kit."""
