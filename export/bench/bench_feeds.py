"""Input for a file whose speed is measured. Needs no torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.runtime.session import Session


def random_feeds(session: Session, tokens: int) -> dict[str, NDArray[Any]]:
    """One image of noise, or one text of so many tokens; which ones they are does not change the time."""
    random = np.random.default_rng(0)
    feeds: dict[str, NDArray[Any]] = {}
    for given in session.get_inputs():
        if "int64" in given.type:
            value = 0 if given.name == "token_type_ids" else 1
            feeds[given.name] = np.full((1, tokens), value, np.int64)
        else:
            sizes = [size if isinstance(size, int) else 1 for size in given.shape]
            feeds[given.name] = random.normal(size=sizes).astype(np.float32)
    return feeds
