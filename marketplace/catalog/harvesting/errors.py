"""What harvesting refuses."""

from marketplace.catalog.harvesting.states import HarvestProblem
from marketplace.kit.errors import Conflict


class HarvestRunning(Conflict):
    """A second run over a catalogue while one is at it."""

    slug = "harvest-running"
    title, title_ja = "Harvest running already", "すでに取り込み中です"
    cause = "A run over this catalogue, `run_id`, has not come to its end."
    cure = "Wait for its end; it goes on by itself where it was cut off."
    cause_ja = "このカタログの取り込み（run_id）がまだ終わっていません。"
    cure_ja = "終わるまで待ってください。中断された場合は、そこから自動的に再開されます。"


class SourceUnreadable(Exception):
    """A catalogue that cannot be read any further; ``problem`` names why."""

    def __init__(self, problem: HarvestProblem, detail: str = "") -> None:
        super().__init__(detail or problem.value)
        self.problem = problem
        self.detail = detail[:300]


class RunTaken(Exception):
    """Somebody else has gone on with the run meanwhile: whoever is told leaves it to them."""
