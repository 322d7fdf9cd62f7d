"""Joining: from an application to a trusted organization, and who may act for it."""
