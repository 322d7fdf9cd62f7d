"""Deeds by which an operator overrides what others agreed: proposed by one person, carried out by another's yes."""
