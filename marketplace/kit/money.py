"""Money in integer minor units; never a float. Yen are their own minor unit."""

AMOUNT_MAX = 999_999_999_999
