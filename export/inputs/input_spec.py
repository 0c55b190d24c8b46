"""Interface of every kind of input."""

from typing import Any, Protocol

from torch import Tensor, nn

Feeds = dict[str, Tensor]
"""A batch: the model's inputs by name, in the order in which its forward pass takes them."""


class ModelInput(Protocol):
    """The inputs of a model to export. Kinds are `InputSpec` (images) and `TextInputSpec`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the logits; empty if there are none."""
        ...

    @property
    def noun(self) -> str:
        """The word for one sample: "image" or "text"."""
        ...

    @property
    def axes(self) -> dict[str, int | None]:
        """The leading axes of every input that any size may take, by name, with their largest size if there is one."""
        ...

    @property
    def layout(self) -> str:
        """The names of all axes of an input, for messages."""
        ...

    def summary(self) -> str:
        """The input's size in a few words."""
        ...

    def example(self, batch: int) -> Feeds:
        """A batch to trace with; no free axis has the size 0 or 1, which the exporter takes for a constant."""
        ...

    def trials(self, batch: int) -> list[Feeds]:
        """Batches that the model must take: the example, and those at the limits of the input."""
        ...

    def record(self) -> dict[str, Any]:
        """Describe the preprocessing from a sample to an input, ready for JSON; stored in the file."""
        ...

    def limits(self) -> dict[str, int]:
        """The sizes that the file's own input shapes do not tell; empty if they tell everything."""
        ...

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as a module from the inputs, in their order, to a table of logits."""
        ...
