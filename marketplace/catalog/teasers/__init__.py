"""Teasers (要旨): datasets that are announced before there are any data, and who asked to be told."""
