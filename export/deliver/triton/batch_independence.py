"""Check that an image's answer does not depend on the images of others that a server puts into the same batch."""

import numpy as np

from export.deliver.bundle.exported import ExportedFile
from export.errors import ExportError
from export.runtime.engine import engine_here
from export.runtime.session import run_session
from export.targets import get_target

MAX_REL = 1e-2
"""Of the largest logit. Another order of summation changes 1e-6, one jump of FleS's positive mean measured 1.6e-3, the
statistics of FleS-Proto over a batch of two 8e-2."""


def check_company(exported: ExportedFile) -> None:
    """Run an image alone and beside a brighter one; for texts the export has proven as much already.

    Raises:
        ExportError: the answers differ, as those of FleS-Proto do, whose statistics run over the batch.
        ProviderError: nothing here runs the file or stands in for what does.
    """
    if exported.takes_texts:
        return
    port, random = exported.inputs[0], np.random.default_rng(0)
    one = random.normal(size=(1, *port.dims)).astype(port.kind)
    other = (4 * random.normal(size=(1, *port.dims)) + 2).astype(port.kind)
    session = engine_here(get_target(exported.metadata.target), exported.metadata.precision).open(exported.content)
    alone = run_session(session, {port.name: one})[0].astype(np.float64)
    beside = run_session(session, {port.name: np.concatenate([one, other])})[0][:1].astype(np.float64)
    change = float(np.abs(alone - beside).max() / (np.abs(alone).max() or 1.0))
    if not change <= MAX_REL:
        raise ExportError(
            f"{exported.path.name} takes statistics over its batch: beside another image its logits change by "
            f"{change:.1g} of their size, and Triton batches the requests of different users. Serve it with "
            "max_batch_size=1, or a model whose images do not depend on each other."
        )
