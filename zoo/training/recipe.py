"""A training recipe as frozen data: everything that decides what is trained, and nothing about where it runs from.

Units: sizes in pixels, durations in epochs unless the name says minutes or steps, a rate of 0 means "off".
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Precision = Literal["float32", "bfloat16", "float16"]
Policy = Literal["none", "autoaugment-cifar10", "autoaugment-imagenet", "trivial-wide"]


def bounded(default: Any, low: float, high: float = float("inf")) -> Any:
    """A dataclass field with a default whose value must lie in [low, high]; the parser checks it."""
    return field(default=default, metadata={"low": low, "high": high})


def required(low: float, high: float = float("inf")) -> Any:
    """A dataclass field without a default whose value must lie in [low, high]; the parser checks it."""
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Data to learn from.

    `batch_size` is the number of images behind one optimiser step, over all processes and accumulated parts together.
    An epoch has `images // batch_size` steps: the remainder of its shuffled order is skipped, so every step is full.
    `loader`: "pil" transforms image by image in worker processes; "tensor" decodes a small-image data set once into
    one uint8 tensor and augments whole batches, which costs next to nothing.
    An empty `train_split` or `eval_split` takes what the data has under the usual names; where it has nothing to
    evaluate on, `eval_fraction` of the training images of each class, at least one, are split off by the seed.
    An image that cannot be decoded stops the run, unless `skip_unreadable`: then all are decoded once before it, and
    the record of the data lists those left out.
    """

    dataset: str
    batch_size: int = required(1)
    loader: Literal["pil", "tensor"] = "pil"
    train_split: str = "train"
    eval_split: str = "test"
    eval_fraction: float = bounded(0.0, 0, 0.9)
    skip_unreadable: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """Model: a name of `zoo.models` or of timm, its norm and act, and further builder arguments in `args`.

    `num_classes` 0 means: as many as the data set has. With `pretrained`, `name` is any name of a model (see
    `zoo.names`) and training starts from its weights, with a new classifier unless its classes are those of the data;
    its parts and arguments are then its own. `freeze` "backbone" trains the classifier alone. `img_size` 0 is the
    model's own.
    """

    name: str
    pretrained: bool = False
    freeze: Literal["none", "backbone"] = "none"
    img_size: int = bounded(0, 0)
    norm: str | None = None
    act: str | None = None
    num_classes: int = bounded(0, 0)
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OptimizerRecipe:
    """Optimiser that updates the weights.

    `name` is one of `timm.optim.list_optimizers()` ("momentum" is SGD with plain momentum, "sgd" SGD with Nesterov's);
    `args` goes to its constructor. Activation parameters (all a, b) get `activation_lr_factor` times the learning rate;
    left out, the factor that the activation's own spec holds. Their weight decay is always the spec's: none.
    `layer_decay` multiplies the rate once for each layer below the last, so that early layers change less.
    `fallback` holds name patterns that a matrix optimiser such as Muon leaves to its own AdamW.
    `clip_norm` limits the gradient's 2-norm; `clip_scope` "weights" leaves the activation parameters out of it.
    """

    name: str = "momentum"
    lr: float = required(0)
    momentum: float = bounded(0.9, 0, 1)
    weight_decay: float = bounded(0.0, 0)
    decay_vectors: bool = False
    activation_lr_factor: float | None = bounded(None, 0)
    layer_decay: float = bounded(1.0, 0, 1)
    clip_norm: float = bounded(0.0, 0)
    clip_scope: Literal["all", "weights"] = "all"
    fallback: tuple[str, ...] = ()
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScheduleRecipe:
    """Length of training, and the schedules of the learning rate and the image size.

    The rate rises linearly from `warmup_lr` to `optimizer.lr` over `warmup_epochs`, then falls towards `min_lr`, which
    only the step after the last would have; it changes at every step. `resolution` is a list of [until_epoch, size]:
    epochs before `until_epoch` train on batches resized to `size`; after the last entry the batches keep their own
    size. `patience` ends the run after so many epochs without a higher Top-1 (0: never).
    """

    epochs: int = required(1)
    kind: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_epochs: float = bounded(0.0, 0)
    warmup_lr: float = bounded(0.0, 0)
    min_lr: float = bounded(0.0, 0)
    resolution: tuple[tuple[int, int], ...] = ()
    patience: int = bounded(0, 0)


@dataclass(frozen=True, kw_only=True)
class AugmentationRecipe:
    """Augmentation of a training image.

    `crop` "pad": pad by `padding` and cut the image's own size at random; "resized": a random part (`scale` of the
    area, `ratio` of the sides) resized to `size`; "none": only resized where the size differs. `size` 0: the model's.
    `cutout` is the side of one square set to the mean colour; `random_erasing` the probability of timm's rectangle.
    """

    crop: Literal["pad", "resized", "none"] = "pad"
    size: int = bounded(0, 0)
    padding: int = bounded(4, 0)
    padding_mode: Literal["reflect", "zeros"] = "zeros"
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (0.75, 1.3333)
    flip: float = bounded(0.5, 0, 1)
    policy: Policy = "none"
    cutout: int = bounded(0, 0)
    random_erasing: float = bounded(0.0, 0, 1)


@dataclass(frozen=True, kw_only=True)
class RegularisationRecipe:
    """Label smoothing, mixing of images, and the moving average of the weights.

    `mixup` and `cutmix` are the parameters of their beta distributions; with both on, `switch_prob` is CutMix's share.
    `ema_warmup` lets the average's decay grow as 1 - (1 + step) ** -`ema_warmup_power` up to `ema_decay`.
    `weights` says which weights the run ends with, and `keep` of which epoch: the last, or that of the highest Top-1.
    """

    label_smoothing: float = bounded(0.0, 0, 1)
    mixup: float = bounded(0.0, 0)
    cutmix: float = bounded(0.0, 0)
    mix_prob: float = bounded(1.0, 0, 1)
    switch_prob: float = bounded(0.5, 0, 1)
    ema_decay: float = bounded(0.0, 0, 1)
    ema_warmup: bool = False
    ema_warmup_power: float = bounded(0.6667, 0, 1)
    weights: Literal["ema", "raw"] = "raw"
    keep: Literal["last", "best"] = "last"


@dataclass(frozen=True, kw_only=True)
class RuntimeRecipe:
    """Execution of the same mathematics, and the frequency of evaluation and saving.

    `fused_attention` false computes attention as two products and a softmax: on a CPU, the backward pass of PyTorch's
    fused kernel takes more time than that form under torch.compile.
    `accumulation` splits each process's share of a batch into that many parts. `eval_every` counts epochs (the last
    one is always measured). A checkpoint is written at each epoch's end and, inside an epoch, after
    `checkpoint_minutes` or `checkpoint_steps`, whichever comes first (0: never).
    """

    seed: int = bounded(0, 0)
    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False
    compile_mode: Literal["default", "reduce-overhead", "max-autotune-no-cudagraphs"] = "default"
    fused_attention: bool = True
    accumulation: int = bounded(1, 1)
    workers: int = bounded(2, 0)
    eval_every: int = bounded(1, 1)
    eval_batch_size: int = bounded(500, 1)
    checkpoint_minutes: float = bounded(10.0, 0)
    checkpoint_steps: int = bounded(0, 0)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One complete recipe; `load_recipe` reads it from a file.

    `source` names the paper's section or "ours".
    """

    name: str
    description: str
    source: str
    data: DataRecipe
    model: ModelRecipe
    optimizer: OptimizerRecipe
    schedule: ScheduleRecipe
    augmentation: AugmentationRecipe = field(default_factory=AugmentationRecipe)
    regularisation: RegularisationRecipe = field(default_factory=RegularisationRecipe)
    runtime: RuntimeRecipe = field(default_factory=RuntimeRecipe)

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables, lists and values, which JSON can hold and `load_recipe` reads again."""
        return as_tables(self)


def as_tables(recipe: Any) -> dict[str, Any]:
    """A recipe of any kind without its name, as plain tables, lists and values."""
    return {k: v for k, v in _plain(asdict(recipe)).items() if k != "name"}


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
