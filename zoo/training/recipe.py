"""A training recipe as frozen data: everything that decides what is trained, and nothing about where it runs from.

Units: sizes in pixels, durations in epochs unless the name says minutes or steps, a rate of 0 means "off". The line
below a field is its meaning, which `zoo info RECIPE` and `zoo train --write-recipe` show.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

Precision = Literal["float32", "bfloat16", "float16"]
Policy = Literal["none", "autoaugment-cifar10", "autoaugment-imagenet", "trivial-wide"]

Count = Annotated[int, Field(ge=1)]
"""A whole number of at least 1."""
Whole = Annotated[int, Field(ge=0)]
"""A whole number of at least 0."""
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number of at least 0."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""


class RecipeTable:
    """Base of a recipe and its tables: fields are read strictly, and the line below each is its description."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True)
class DataRecipe(RecipeTable):
    """Data to learn from."""

    dataset: str
    """Name in `zoo.data.DATASETS`, or ORG/NAME of a data set of the Hub."""
    batch_size: Count
    """Images behind one step, over all processes and accumulated parts; the remainder of an epoch is skipped."""
    loader: Literal["pil", "tensor"] = "pil"
    """"pil" transforms image by image in worker processes; "tensor" decodes small images once and augments batches."""
    train_split: str = "train"
    """Split to learn from; empty takes the one under the usual name, or all of a folder that is not divided."""
    eval_split: str = "test"
    """Split to measure on; empty takes the one under the usual names."""
    eval_fraction: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Share of each class, at least one image, to split off by the seed where there is nothing to measure on."""
    skip_unreadable: bool = False
    """Decode all images once before the run, and leave out and list those that cannot be; false stops at the first."""


@dataclass(frozen=True, kw_only=True)
class ModelRecipe(RecipeTable):
    """Model to train."""

    name: str
    """Model of the zoo or of timm; with `pretrained` any name of a model, whose parts and arguments are its own."""
    pretrained: bool = False
    """Start from the model's weights, with a new classifier unless its classes are those of the data."""
    freeze: Literal["none", "backbone"] = "none"
    """"backbone" trains the classifier alone."""
    img_size: Whole = 0
    """Height and width of the images; 0 is the model's own."""
    norm: str | None = None
    """What stands at normalisation sites; without it the model's own."""
    act: str | None = None
    """Gate; without it the model's own."""
    num_classes: Whole = 0
    """Outputs of the classifier; 0 means as many as the data has classes."""
    args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the model's builder."""


@dataclass(frozen=True, kw_only=True)
class OptimizerRecipe(RecipeTable):
    """Optimiser that updates the weights."""

    name: str = "momentum"
    """Name in `timm.optim.list_optimizers()`; "momentum" is SGD with plain momentum, "sgd" with Nesterov's."""
    lr: Amount
    """Learning rate after warm-up."""
    momentum: Share = 0.9
    """Momentum, of optimisers that have one."""
    weight_decay: Amount = 0.0
    """Weight decay; activation parameters have none, as their spec says."""
    decay_vectors: bool = False
    """Decay biases and other vectors too."""
    activation_lr_factor: Amount | None = None
    """Factor on the learning rate of activation parameters; without it the one of the activation's spec."""
    layer_decay: Share = 1.0
    """Factor on the rate for each layer below the last, so that early layers change less."""
    clip_norm: Amount = 0.0
    """Largest 2-norm of the gradient; 0 does not clip."""
    clip_scope: Literal["all", "weights"] = "all"
    """"weights" leaves the activation parameters out of the norm and of clipping."""
    fallback: tuple[str, ...] = ()
    """Patterns of parameter names that a matrix optimiser such as Muon leaves to its own AdamW."""
    args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the optimiser."""


@dataclass(frozen=True, kw_only=True)
class ScheduleRecipe(RecipeTable):
    """Length of training, and the schedules of the learning rate and the image size; the rate changes at each step."""

    epochs: Count
    """Passes over the training images."""
    kind: Literal["cosine", "linear", "constant"] = "cosine"
    """Fall of the rate after warm-up."""
    warmup_epochs: Amount = 0.0
    """Epochs over which the rate rises linearly to `optimizer.lr`."""
    warmup_lr: Amount = 0.0
    """Rate at the first step of warm-up."""
    min_lr: Amount = 0.0
    """Rate the fall ends at, which only the step after the last would have."""
    resolution: tuple[tuple[int, int], ...] = ()
    """List of [until_epoch, size]: epochs before it train on batches resized to the size; later ones keep their own."""
    patience: Whole = 0
    """End the run after so many epochs without a higher Top-1; 0: never."""


@dataclass(frozen=True, kw_only=True)
class AugmentationRecipe(RecipeTable):
    """Augmentation of a training image."""

    crop: Literal["pad", "resized", "none"] = "pad"
    """"pad": pad, and cut the image's own size at random; "resized": a random part resized; "none": resized only."""
    size: Whole = 0
    """Height and width of the result; 0 is the model's own."""
    padding: Whole = 4
    """Pixels on each side, of crop "pad"."""
    padding_mode: Literal["reflect", "zeros"] = "zeros"
    """Content of the padding."""
    scale: tuple[float, float] = (0.08, 1.0)
    """Least and largest share of the area, of crop "resized"."""
    ratio: tuple[float, float] = (0.75, 1.3333)
    """Least and largest ratio of the sides, of crop "resized"."""
    flip: Share = 0.5
    """Probability of a horizontal flip."""
    policy: Policy = "none"
    """Automatic augmentation, of the loader "pil"."""
    cutout: Whole = 0
    """Side of one square set to the mean colour; 0: none."""
    random_erasing: Share = 0.0
    """Probability of timm's random rectangle."""


@dataclass(frozen=True, kw_only=True)
class RegularisationRecipe(RecipeTable):
    """Label smoothing, mixing of images, and the moving average of the weights."""

    label_smoothing: Share = 0.0
    """Share of the target spread over all classes."""
    mixup: Amount = 0.0
    """Parameter of MixUp's beta distribution; 0: none."""
    cutmix: Amount = 0.0
    """Parameter of CutMix's beta distribution; 0: none."""
    mix_prob: Share = 1.0
    """Probability that a batch is mixed."""
    switch_prob: Share = 0.5
    """Share of CutMix where both are on."""
    ema_decay: Share = 0.0
    """Decay of the moving average of the weights; 0: none."""
    ema_warmup: bool = False
    """Let the decay grow as 1 - (1 + step) ** -ema_warmup_power up to `ema_decay`."""
    ema_warmup_power: Share = 0.6667
    """Power of that growth."""
    weights: Literal["ema", "raw"] = "raw"
    """Weights the run ends with: the average, or the last ones."""
    keep: Literal["last", "best"] = "last"
    """Epoch whose weights the run ends with: the last, or that of the highest Top-1."""


@dataclass(frozen=True, kw_only=True)
class RuntimeRecipe(RecipeTable):
    """Execution of the same mathematics, and the frequency of evaluation and saving."""

    seed: Whole = 0
    """Seed of every draw: weights, order, augmentation, dropout."""
    precision: Precision = "float32"
    """Type that autocast computes in; weights and optimiser stay float32."""
    channels_last: bool = False
    """Memory layout of images, faster for convolutions on most processors."""
    compile: bool = False
    """Use torch.compile: a minute of compiling, faster steps."""
    compile_mode: Literal["default", "reduce-overhead", "max-autotune-no-cudagraphs"] = "default"
    """Mode of torch.compile."""
    fused_attention: bool = True
    """False computes attention as two products and a softmax, whose backward pass is faster compiled on a CPU."""
    accumulation: Count = 1
    """Parts each process splits its share of a batch into."""
    workers: Whole = 2
    """Processes that read images, of the loader "pil"."""
    eval_every: Count = 1
    """Epochs between evaluations; the last one is always measured."""
    eval_batch_size: Count = 500
    """Images at once when measuring."""
    checkpoint_minutes: Amount = 10.0
    """Minutes between checkpoints inside an epoch; 0: never. One is written at each epoch's end in any case."""
    checkpoint_steps: Whole = 0
    """Steps between checkpoints inside an epoch; 0: never."""


class RunRecipe(RecipeTable):
    """Base of a complete recipe, for images or for texts: a dataclass of tables."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables, lists and values without the name, which JSON can hold and `load_table` reads again."""
        return {k: v for k, v in _plain(asdict(self)).items() if k != "name"}  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class Recipe(RunRecipe):
    """One complete recipe; `load_recipe` reads it from a file."""

    name: str
    """Name of its file."""
    description: str
    """One line about it."""
    source: str
    """Section of a paper, or "ours"."""
    data: DataRecipe
    model: ModelRecipe
    optimizer: OptimizerRecipe
    schedule: ScheduleRecipe
    augmentation: AugmentationRecipe = field(default_factory=AugmentationRecipe)
    regularisation: RegularisationRecipe = field(default_factory=RegularisationRecipe)
    runtime: RuntimeRecipe = field(default_factory=RuntimeRecipe)


def flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"table.field": value} for `Recipe.to_dict()`, for comparing two recipes."""
    rows: dict[str, Any] = {}
    for name, value in tables.items():
        rows.update(
            {f"{name}.{key}": entry for key, entry in value.items()} if isinstance(value, dict) else {name: value}
        )
    return rows


def _plain(value: Any) -> Any:
    """Tuples to lists and no None: what JSON and TOML share."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return value
