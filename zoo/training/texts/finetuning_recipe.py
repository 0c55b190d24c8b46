"""A fine-tuning recipe as frozen data: all that decides what is learned, and nothing about where it runs from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.data.glue import GLUE
from zoo.data.own_texts import OWN
from zoo.errors import suggestion
from zoo.models.text_models import TEXT_ACTS, TEXT_MODELS
from zoo.training.parse import load_table
from zoo.training.recipe import Amount, Count, Precision, RecipeTable, RunRecipe, Share, Whole

_FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True, kw_only=True)
class TextData(RecipeTable):
    """Data to learn from."""

    task: str
    """Task of GLUE, or "own" for texts and classes of one's own."""
    max_length: Annotated[int, Field(ge=3)] = 128
    """Tokens a text is cut at, [CLS] and [SEP] included."""
    subset: Whole = 0
    """Training texts to use, drawn once without replacement; 0 means all."""
    subset_seed: Whole = 0
    """Seed of that draw."""
    eval_fraction: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    """Share of each class to hold back and measure on, of one's own texts in a single file."""


@dataclass(frozen=True, kw_only=True)
class TextModel(RecipeTable):
    """Encoder to train."""

    name: str
    """Text model of the zoo."""
    act: str = "fles"
    """Its activation."""
    start: str = ""
    """Folder or Hub repository of the pretrained BERT to start from; empty starts from fresh weights."""
    tokenizer: str = ""
    """Where the tokenizer comes from; empty means `start`."""
    args: dict[str, Any] = field(default_factory=dict)
    """Further fields of the configuration."""


@dataclass(frozen=True, kw_only=True)
class TextOptimizer(RecipeTable):
    """AdamW."""

    lr: Amount
    """Learning rate after warm-up."""
    weight_decay: Amount = 0.01
    """Weight decay of matrices."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the moving averages of the gradient and its square."""
    activation_lr_factor: Amount = 1.0
    """Factor on the learning rate of activation parameters [ours]."""
    clip_norm: Amount = 1.0
    """Largest 2-norm of the gradient; 0 does not clip."""


@dataclass(frozen=True, kw_only=True)
class TextSchedule(RecipeTable):
    """Linear warm-up, then linear decay to 0."""

    epochs: Count
    """Passes over the training texts."""
    warmup: Share = 0.1
    """Share of all steps, less than 1, over which the rate rises."""


@dataclass(frozen=True, kw_only=True)
class TextRuntime(RecipeTable):
    """Execution settings."""

    batch_size: Count
    """Texts behind one step, over all processes together."""
    eval_batch_size: Count = 64
    """Texts at once in one process when measuring."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Seed of every draw."""
    precision: Precision = "float32"
    """Type that autocast computes in."""
    attention: Literal["eager", "sdpa"] = "sdpa"
    """Kernel of attention that transformers uses."""
    group_by_length: bool = True
    """Batch texts of similar length, which saves padding."""


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe(RunRecipe):
    """One complete recipe; `load_finetune_recipe` reads it from a file."""

    name: str
    """Name of its file."""
    description: str
    """One line about it."""
    source: str
    """Section of a paper, or "ours"."""
    data: TextData
    model: TextModel
    optimizer: TextOptimizer
    schedule: TextSchedule
    runtime: TextRuntime


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
