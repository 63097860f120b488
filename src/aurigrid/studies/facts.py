"""A finding as a sentence and as data: the terminal prints the sentence, the console words the data in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODEL_WORDS = (
    "passed over by the model {model}, which misses at most {missed:.3f} % of the pairs that break something, with confidence "
    "{confidence:.0f} %, if these are drawn like those that it was calibrated on"
)
"""What is known of pairs that a model passed over, for a finding; values as in the options of the run."""


@dataclass(frozen=True)
class Fact:
    """One finding.

    Attributes:
        key: what kind of finding, the same for all of its kind.
        template: the English sentence, with a replacement field for each value.
        values: figures, names and words (kinds of limit as they are stored, ``voltage_low``).
    """

    key: str
    template: str
    values: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The finding in English."""
        return self.template.format(**{k: _worded(v) for k, v in self.values.items()})


def _worded(value: Any) -> Any:
    return value.replace("_", " ") if isinstance(value, Kind) else value


class Kind(str):
    """A stored word, such as a kind of limit: shown with spaces, or in another language."""
