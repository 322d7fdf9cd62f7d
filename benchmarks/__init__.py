"""Figures, as ratios to a stated limit measured in the same run; `python -m benchmarks` lists them."""
