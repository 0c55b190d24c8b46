"""A fine-tuned transformers model becomes a card of ours, which transformers still reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from zoo.cards.card import write_card
from zoo.cards.runs import finetuning_record
from zoo.data.glue import GLUE
from zoo.data.labels import check_same_order
from zoo.data.tokenize import TOKENIZER_CONFIG, TOKENIZER_FILE, TextPreprocess
from zoo.errors import ConfigurationError, WeightsMismatchError, WeightsNotFoundError
from zoo.models.text_models import TEXT_ACTS, TEXT_MODELS, build_text_model, gate_of_variant
from zoo.weights.load import differences, read_weights
from zoo.weights.run_folder import SUMMARY_FILE
from zoo.weights.tag import CONFIG_FILE, WEIGHTS_FILE, PretrainedTag, read_json
from zoo.weights.tag_rules import TEXT_ARGS

# Fields of BERT's configuration that decide names or shapes of weights, or what is computed from them.
_SIZES = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "is_decoder", "add_cross_attention"
)  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """A fine-tuned model, as its folder describes it.

    Args:
        place: the folder.
        act: its activation.
        config: transformers' configuration.
        record: what a card says of the training, or {} where `zoo finetune` left no summary.
        recipe: the recipe's name, if known.
    """

    place: Path
    act: str
    config: Any
    record: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The recipe's table `data`: task, max_length."""
        return (self.record.get("recipe") or {}).get("data") or {}


def adopt_text(
    folder: str | Path,
    model: str,
    tag: str,
    output: Path,
    *,
    labels: Sequence[str] = (),
    dataset: str = "",
    max_length: int | None = None,
    license: str = "unknown",
    source: str = "",
    dtype: str = "float16",
    results: Mapping[str, Any] | None = None,
    force: bool = False,
) -> PretrainedTag:
    """Turn the folder of a fine-tuned transformers model, such as a run of `zoo finetune`, into a card's folder.

    Args:
        folder: with config.json, model.safetensors, tokenizer.json, tokenizer_config.json and, of `zoo finetune`,
            summary.json, whose recipe and log go onto the card.
        model: the text model it is, a name in `TEXT_MODELS`.
        tag: how the weights will be called: MODEL.TAG.
        output: the card's folder.
        labels: class names in order; empty takes those of the GLUE task, else of the configuration.
        dataset: what it was fine-tuned on; "" takes the summary's task.
        max_length: tokens texts are cut to; None takes the summary's, else what tokenizer and model allow.
        license: licence identifier of the weights.
        source: where they come from.
        dtype: how matrices are stored.
        results: what the card shows; None takes the training record of the run.
        force: replace the card if it exists.

    Returns:
        The tag as stored.

    Raises:
        UnknownNameError: no such model.
        WeightsNotFoundError: the folder or one of its files is missing.
        WeightsCorruptError: a file cannot be read.
        WeightsMismatchError: configuration, weights and model do not fit each other.
        ConfigurationError: labels or length contradict the task or the model.
        OutputError: the card exists or cannot be written.
    """
    run = _open(Path(folder).expanduser(), model)
    fields = _arguments(run, model)
    network = build_text_model(model, num_classes=run.config.num_labels, **fields)
    state = read_weights(run.place / WEIGHTS_FILE)
    lines = differences(state, network.state_dict())
    if lines:
        raise WeightsMismatchError(
            f"{folder} for {model}: {len(lines)} names do not fit. Nothing was written.\n  "
            + "\n  ".join(lines)
            + "\nIs it the right model, and fine-tuned as a classifier?"
        )
    trained_on = dataset or str(run.data.get("task") or "")
    described = PretrainedTag(
        model,
        tag,
        run.config.num_labels,
        TextPreprocess.from_file(run.place / TOKENIZER_FILE, _length(run, max_length)).pinned,
        labels=_labels(run, tuple(labels), trained_on),
        model_args={key: value for key, value in fields.items() if (key, value) != ("act", TEXT_MODELS.get(model).act)},
        dataset=trained_on,
        recipe=run.recipe,
        license=license,
        source=source,
    )
    if results is None and run.record:
        results = {"training": run.record}
    return write_card(output, state, described, results, dtype=dtype, force=force, tokenizer=run.place)


def _open(folder: Path, model: str) -> _Run:
    from transformers import BertConfig

    from zoo.models.bert.configuration import FlesBertConfig

    if not folder.is_dir():
        raise WeightsNotFoundError(
            f"{folder} {'is a file' if folder.exists() else 'does not exist'}; for {model} give the folder of a "
            "fine-tuned transformers model, such as that of a run of `zoo finetune`."
        )
    wanted = (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise WeightsNotFoundError(
            f"{folder} lacks {', '.join(missing)}. Save model and tokenizer there with transformers' save_pretrained."
        )
    values = read_json(folder / CONFIG_FILE)
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind not in ("bert", FlesBertConfig.model_type):
        raise WeightsMismatchError(f"{folder} holds a model of type {kind!r}; {model} needs fles_bert or bert.")
    if kind == "bert":
        config: Any = BertConfig.from_pretrained(folder)
        act = config.hidden_act
    else:
        config = FlesBertConfig.from_pretrained(folder)
        act = gate_of_variant(config.fles_variant)
    if act not in TEXT_ACTS:
        raise WeightsMismatchError(f"{folder} has the activation {act!r}; {model} takes {', '.join(TEXT_ACTS)}.")
    if not (folder / SUMMARY_FILE).is_file():
        return _Run(folder, act, config)
    return _Run(folder, act, config, finetuning_record(folder), read_json(folder / SUMMARY_FILE).get("recipe_name"))


def _arguments(run: _Run, model: str) -> dict[str, Any]:
    """Arguments of `build_text_model` that give the folder's network: those that are not the model's own.

    Raises:
        WeightsMismatchError: the network has other sizes than the model.
    """
    with torch.device("meta"):
        usual: Any = build_text_model(model, act=run.act).config
    wrong = [
        f"{name} {getattr(run.config, name)} instead of {getattr(usual, name)}"
        for name in _SIZES
        if getattr(run.config, name) != getattr(usual, name)
    ]
    if wrong:
        raise WeightsMismatchError(f"{run.place} is no {model}: {', '.join(wrong)}. Name another --model.")
    settings = [name for name in TEXT_ARGS if name != "act" and hasattr(usual, name)]
    given = {name: getattr(run.config, name) for name in settings}
    return {"act": run.act} | {name: value for name, value in given.items() if value != getattr(usual, name)}


def _length(run: _Run, asked: int | None) -> int:
    """Tokens a text is cut to: asked for, or as in training, or as many as tokenizer and model take."""
    told = read_json(run.place / TOKENIZER_CONFIG).get("model_max_length")
    positions: int = run.config.max_position_embeddings
    most = min(told, positions) if isinstance(told, int) else positions
    length: int = asked or run.data.get("max_length") or most
    if length > most:
        raise ConfigurationError(
            f"Texts of {length} tokens do not fit {run.place}, whose tokenizer and positions end at {most}. Give a "
            "smaller --max-length."
        )
    return length


def _labels(run: _Run, asked: tuple[str, ...], dataset: str) -> tuple[str, ...]:
    """Class names: asked for, or the task's, or the configuration's; refused where they contradict the task."""
    outputs: int = run.config.num_labels
    names = tuple(str(run.config.id2label[number]) for number in range(outputs))
    own = () if outputs == 1 or all(name == f"LABEL_{i}" for i, name in enumerate(names)) else names
    if dataset not in GLUE:
        return asked or own
    task = GLUE.get(dataset)
    if outputs != task.num_outputs:
        raise WeightsMismatchError(
            f"{run.place} has {outputs} outputs, {dataset} needs {task.num_outputs}. Is it another task's?"
        )
    check_same_order(str(run.place), asked or own, f"task {dataset}", task.labels)
    return task.labels
