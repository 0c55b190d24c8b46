"""A fine-tuning recipe as frozen data: all that decides what is learned, and nothing about where it runs from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.data.glue import GLUE
from zoo.data.own_texts import OWN
from zoo.errors import suggestion
from zoo.models.text_models import TEXT_ACTS, TEXT_MODELS
from zoo.training.parse import load_table
from zoo.training.recipe import Precision, as_tables, bounded, required

_FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True, kw_only=True)
class TextData:
    """Data to learn from: a task of GLUE, or "own" for texts and classes of one's own.

    `subset` is how many training texts are used, drawn once without replacement under `subset_seed`; 0 means all.
    Texts are cut at `max_length` tokens, [CLS] and [SEP] included. Of one's own texts in a single file
    `eval_fraction` of each class is held back and measured on.
    """

    task: str
    max_length: int = bounded(128, 3)
    subset: int = bounded(0, 0)
    subset_seed: int = bounded(0, 0)
    eval_fraction: float = bounded(0.2, 0, 0.9)


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """Encoder: a name of the zoo's text models, its act, and configuration fields in `args`.

    `start` is where the pretrained encoder comes from: a folder or Hub repository of a transformers BERT of this size;
    empty starts from fresh weights. `tokenizer` is where the tokenizer comes from; empty means `start`.
    """

    name: str
    act: str = "fles"
    start: str = ""
    tokenizer: str = ""
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TextOptimizer:
    """AdamW. The parameters of activations learn at `activation_lr_factor` times the rate [ours].

    `clip_norm` limits the gradient's 2-norm; 0 does not.
    """

    lr: float = required(0)
    weight_decay: float = bounded(0.01, 0)
    betas: tuple[float, float] = (0.9, 0.999)
    activation_lr_factor: float = bounded(1.0, 0)
    clip_norm: float = bounded(1.0, 0)


@dataclass(frozen=True, kw_only=True)
class TextSchedule:
    """Linear warm-up over the first `warmup` part of all steps, less than 1, then linear decay to 0."""

    epochs: int = required(1)
    warmup: float = bounded(0.1, 0, 1)


@dataclass(frozen=True, kw_only=True)
class TextRuntime:
    """Execution settings.

    `batch_size` is the number of texts behind one optimiser step, over all processes together; `eval_batch_size` that
    of one process. `attention` is the kernel transformers uses. `group_by_length` batches texts of similar length,
    which saves padding.
    """

    batch_size: int = required(1)
    eval_batch_size: int = bounded(64, 1)
    seed: int = bounded(0, 0, 2**32 - 1)
    precision: Precision = "float32"
    attention: Literal["eager", "sdpa"] = "sdpa"
    group_by_length: bool = True


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe:
    """One complete recipe; `load_finetune_recipe` reads it from a file. `source` names a paper's section or "ours"."""

    name: str
    description: str
    source: str
    data: TextData
    model: TextModel
    optimizer: TextOptimizer
    schedule: TextSchedule
    runtime: TextRuntime

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables, lists and values, which JSON can hold and `load_finetune_recipe` reads again."""
        return as_tables(self)


def list_finetune_recipes() -> list[str]:
    """Names of the shipped recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_finetune_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> FinetuneRecipe:
    """Read a shipped recipe by name, or a .toml or .json file; see `zoo.training.load_recipe`.

    Raises:
        RecipeError: the recipe is unknown or unreadable, or fields of it are wrong; all are named in one message.
    """
    return load_table(FinetuneRecipe, _FOLDER, name_or_path, overrides, _check)


def _check(recipe: FinetuneRecipe) -> list[str]:
    names = (
        ("data.task", recipe.data.task, [*GLUE.names(), OWN]),
        ("model.name", recipe.model.name, TEXT_MODELS.names()),
        ("model.act", recipe.model.act, TEXT_ACTS),
    )
    problems = [
        f"{key}: unknown {name!r}. {suggestion(name, known)}" for key, name, known in names if name not in known
    ]
    if not recipe.model.start and not recipe.model.tokenizer:
        problems.append("model.tokenizer: with an empty model.start nothing says where the tokenizer comes from.")
    if recipe.schedule.warmup == 1:
        problems.append("schedule.warmup: 1 leaves no step to decay over; wanted less.")
    return problems
