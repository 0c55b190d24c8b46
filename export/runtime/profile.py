"""The range of batches an engine is built for, and the refusal of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.runtime.session import Session
from zoo.errors import ConfigurationError, ShapeError


@dataclass(frozen=True)
class Profile:
    """Smallest, usual and largest batch, and for texts the same of tokens; the engine is fastest at the usual one.

    Raises:
        ConfigurationError: the numbers are not in order.
    """

    least: int = 1
    usual: int = 1
    most: int = 8
    usual_tokens: int = 128
    most_tokens: int = 512

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.usual <= self.most or not 1 <= self.usual_tokens <= self.most_tokens:
            raise ConfigurationError(
                f"{self} and {self.usual_tokens} to {self.most_tokens} tokens: give numbers in the order least, usual, "
                "most, from 1."
            )

    def __str__(self) -> str:
        return f"batches {self.least} to {self.most}, usually {self.usual}"

    def options(self, inputs: Sequence[Any]) -> dict[str, str]:
        """The options of ONNX Runtime's TensorRT provider: the shapes of every input at the three sizes."""
        ends = {"min": (self.least, 1), "opt": (self.usual, self.usual_tokens), "max": (self.most, self.most_tokens)}
        return {
            f"trt_profile_{name}_shapes": ",".join(
                f"{given.name}:{'x'.join(map(str, shape_of(given, *sizes)))}" for given in inputs
            )
            for name, sizes in ends.items()
        }

    def check(self, feeds: Mapping[str, NDArray[Any]], inputs: Sequence[Any]) -> None:
        """Refuse a batch the engine was not built for.

        Raises:
            ShapeError: naming the input and what fits.
        """
        for given in inputs:
            value = feeds.get(given.name)
            if value is None:
                continue
            sizes = {size: n for size, n in zip(given.shape, value.shape, strict=False) if not isinstance(size, int)}
            tops = {"batch": (self.least, self.most), "tokens": (1, self.most_tokens)}
            for axis, size in sizes.items():
                low, high = tops.get(axis, (1, size))
                if not low <= size <= high:
                    raise ShapeError(
                        f"{given.name} has {axis} size {size}; the TensorRT engine was built for {low} to {high}. "
                        "Build one for it with `zoo warm` and open the file with the same profile."
                    )


class ProfiledSession:
    """A session that refuses batches outside a profile, for which ONNX Runtime would build a new engine without a word.

    Everything else is the session's own.

    Args:
        session: on the engine.
        profile: what it was built for.
    """

    def __init__(self, session: Session, profile: Profile) -> None:
        self._session, self.profile = session, profile

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
        """As the session's.

        Raises:
            ShapeError: the batch lies outside the profile.
        """
        self.profile.check(feeds, self._session.get_inputs())
        found: list[Any] = self._session.run(outputs, dict(feeds))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def shape_of(given: Any, batch: int, tokens: int) -> list[int]:
    """An input's shape with its free axes filled in."""
    sizes = {"batch": batch, "tokens": tokens}
    return [size if isinstance(size, int) else sizes[size] for size in given.shape]


def feeds_of(inputs: Sequence[Any], batch: int, tokens: int) -> dict[str, NDArray[Any]]:
    """A batch that every model takes: images of zeros, texts of which every token counts."""
    kinds = {"tensor(int64)": np.int64}
    feeds: dict[str, NDArray[Any]] = {}
    for given in inputs:
        value = np.zeros(shape_of(given, batch, tokens), kinds.get(given.type, np.float32))
        feeds[given.name] = np.ones_like(value) if given.name == "attention_mask" else value
    return feeds
