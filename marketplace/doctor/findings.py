"""What a check finds, in both languages, and the lists of checks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from marketplace.kit.language import Language

Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be, and its cure; what is no fault, but worth a thought, is not ``wrong``."""

    said: str
    cure: str
    said_ja: str
    cure_ja: str
    wrong: bool = True

    def told(self, language: Language) -> tuple[str, str]:
        """Return finding and cure in a language."""
        return (self.said_ja, self.cure_ja) if language == "ja" else (self.said, self.cure)


Check = Callable[[Facts], Finding | None]


@dataclass(frozen=True, slots=True)
class Ward(Generic[Facts]):
    """Checks that look at the same facts; the name of a check is that of its function."""

    checks: Sequence[Check[Facts]]

    def findings(self, facts: Facts) -> Iterator[tuple[str, Finding]]:
        """Make every check, and yield what each finds under its name."""
        for check in self.checks:
            if (found := check(facts)) is not None:
                yield name_of(check), found


def name_of(check: Callable[..., object]) -> str:
    """Return the name of a check as it is printed."""
    return check.__name__.replace("_", "-")
