"""People: how they prove who they are, and for how long that holds.

Functions that are given something to prove with (a password, a code, an authenticator's or a provider's answer)
open transactions of their own and say so: what failed is counted though it is refused. All others run in the
caller's transaction.
"""
