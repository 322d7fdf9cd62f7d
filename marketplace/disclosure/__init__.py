"""What the exchange tells the public of itself: the transparency register and the annual report."""
