"""What buyers need and nobody offers yet: requests, who stands behind them, and what became of them."""
