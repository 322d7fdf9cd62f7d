"""Finding people in tables: pure functions over header words and cells, in bounded time for each cell."""

from marketplace.privacy.detectors.kinds import Finding, Kind, Level
from marketplace.privacy.detectors.masking import MASK, masked, masked_rows
from marketplace.privacy.detectors.tables import TableWatch, look

__all__ = ["MASK", "Finding", "Kind", "Level", "TableWatch", "look", "masked", "masked_rows"]
