"""Joining: how organizations come to take part by themselves, from an application to the operator's yes."""
