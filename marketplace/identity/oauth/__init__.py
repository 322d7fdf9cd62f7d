"""OAuth 2.0: tokens, client authentication, revocation, introspection, metadata."""
