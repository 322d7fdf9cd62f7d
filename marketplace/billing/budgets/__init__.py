"""Budgets: how many yen a buyer lets its metered usage come to, and who is told on the way there."""
