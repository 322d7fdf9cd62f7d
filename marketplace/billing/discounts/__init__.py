"""Discounts: who is entitled to one, on what evidence; coupons; and what an order takes off for them."""
