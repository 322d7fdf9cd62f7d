"""Who trades: organizations, members, API clients, permissions and the authorization server."""
