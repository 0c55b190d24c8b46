"""The run's numbers: sums inside an epoch, one JSON line for each epoch."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.documents import json_lines_in
from zoo.errors import OutputError, WeightsCorruptError
from zoo.files import write_atomic
from zoo.training.processes import Devices


@dataclass
class Progress:
    """Progress of a run; all of it goes into the checkpoint.

    Args:
        epoch, step: finished epochs, finished steps of the current one.
        seconds: wall-clock time of training so far, evaluation included, over all resumed parts.
        epoch_seconds: the current epoch's share of it.
        loss_sum, norm_sum, norm_max, steps: sums over the current epoch's finished steps.
        best: highest Top-1 measured so far, percent.
        best_chosen, best_loss, best_epoch: the same of the weights that the run is to end with, the lowest loss at that
            Top-1, and the epoch they were measured in.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    loss_sum: float = 0.0
    norm_sum: float = 0.0
    norm_max: float = 0.0
    steps: int = 0
    best: float = 0.0
    best_chosen: float = -1.0
    best_loss: float = 0.0
    best_epoch: int = 0

    def start_epoch(self) -> None:
        """Count one finished epoch and clear the sums."""
        self.epoch, self.step = self.epoch + 1, 0
        self.epoch_seconds = self.loss_sum = self.norm_sum = self.norm_max = 0.0
        self.steps = 0


class Meter:
    """Collects loss and gradient norm of each step without waiting for the device; `flush` reads them all.

    Its attribute `every` says after how many steps to flush: 1 on a lone CPU, where nothing is gained by waiting.

    Args:
        devices: where the values live and who shares them.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self.every = 1 if devices.device.type == "cpu" and devices.world == 1 else 10
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Remember one step's mean loss and gradient norm (detached scalars)."""
        self._losses.append(loss)
        self._norms.append(norm)

    def __len__(self) -> int:
        return len(self._losses)

    def flush(self, progress: Progress, save: bool = False) -> tuple[int | None, bool]:
        """Add the remembered steps to `progress`; every process must call it at the same step.

        Args:
            save: whether this process wants a checkpoint now; the first process decides for all.

        Returns:
            (position of the first step whose loss or norm is not finite or None, whether to save).
        """
        wish = torch.tensor([float(save and self._devices.main)], device=self._devices.device)
        losses = torch.stack([*self._losses, torch.zeros_like(wish[0])]).float()
        shared = self._devices.sum(torch.cat([losses, wish])).tolist()
        losses_now = [loss / self._devices.world for loss in shared[:-2]]
        norms = torch.stack(self._norms).float().tolist() if self._norms else []
        self._losses, self._norms = [], []
        for position, (loss, norm) in enumerate(zip(losses_now, norms, strict=True)):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                return position, False
            progress.loss_sum += loss
            progress.norm_sum += norm
            progress.norm_max = max(progress.norm_max, norm)
            progress.steps += 1
        return None, shared[-1] > 0


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add one line to the log.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the log's rows; a last line cut off by a kill is left out, a missing file is an empty log.

    Raises:
        WeightsCorruptError: a line is no JSON.
    """
    try:
        return json_lines_in(path) if path.exists() else []
    except ValueError as error:
        raise WeightsCorruptError(f"Cannot read {path}: {error}. Restore it, or start the run anew.") from error


def rewind(path: Path, epochs: int) -> None:
    """Drop the rows after the first `epochs` epochs: a resumed run will write them again."""
    rows = [row for row in read_rows(path) if row["epoch"] <= epochs]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomic(path, lambda file: file.write_text(text, encoding="utf-8"))
