"""Facts for `zoo info` about a model, a card, an activation or any other name, ready for JSON."""

import importlib
import importlib.metadata
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.catalogue.listing import ELSEWHERE, KINDS, Row
from zoo.console import PLUGIN_GROUP

if TYPE_CHECKING:
    from torch import nn

    from zoo.weights.tag import PretrainedTag


def about(name: str) -> Row:
    """Facts about whatever is called `name`; `kind` says what it is.

    Raises:
        UnknownNameError: nothing is; the nearest of all names are offered.
        ZooError: it is a card that cannot be read.
    """
    from zoo.errors import UnknownNameError
    from zoo.names import TIMM_PREFIX, is_card, timm_name

    if _is_card(name):
        return _card(name) if is_card(name) else _other(name)
    if name.startswith(TIMM_PREFIX) or ("." in name and timm_name(name)):
        return _other(name)
    describers = {**_describers(), **dict(_plug_ins())}
    for kind, (names, one) in describers.items():
        if name in names():
            return {"kind": kind, **one(name)}
    known = [other for names, _ in describers.values() for other in names()]
    raise UnknownNameError("name", name, [*known, *KINDS["weights"].names()], "`zoo list` shows all of them.")


def _is_card(name: str) -> bool:
    if name.startswith(("hf-hub:", ".", "~", "/")) or name in KINDS["weights"].names() or Path(name).is_dir():
        return True
    # MODEL.TAG of a known model: the error says which tags it has.
    return "." in name and name.partition(".")[0] in KINDS["models"].names()


def _describers() -> dict[str, tuple[Callable[[], Any], Callable[[str], Row]]]:
    found: dict[str, tuple[Callable[[], Any], Callable[[str], Row]]] = {"model": (KINDS["models"].names, _model)}
    found |= {kind[:-1]: (KINDS[kind].names, KINDS[kind].row) for kind in KINDS if kind not in _SPECIAL}
    return found | {"recipe": (KINDS["recipes"].names, _recipe)}


_SPECIAL = ("models", "weights", "recipes")


def _recipe(name: str) -> Row:
    """What `zoo list` says of a recipe, and every field of it."""
    from zoo.console.completion import recipes
    from zoo.training.parse import load_recipe
    from zoo.training.recipe_text import fields_of
    from zoo.training.texts.finetuning_recipe import load_finetune_recipe

    recipe = load_recipe(name) if name in recipes() else load_finetune_recipe(name)
    return {**KINDS["recipes"].row(name), "fields": fields_of(recipe)}


def _plug_ins() -> Iterator[tuple[str, tuple[Callable[[], Any], Callable[[str], Row]]]]:
    """Read the topics of installed packages: an entry point's module may have `TOPICS`, kind to (names, describe)."""
    for entry in importlib.metadata.entry_points(group=PLUGIN_GROUP):
        yield from getattr(importlib.import_module(entry.module), "TOPICS", {}).items()


def _model(name: str) -> Row:
    """A model of the zoo with its own parts and number of classes."""
    from zoo.models.build import build_model, find_spec
    from zoo.weights.locate import list_pretrained

    spec: Any = find_spec(name)
    network = build_model(name, device="meta").eval()
    size = getattr(spec, "input_size", None)
    tags = [KINDS["weights"].row(tag) for tag in list_pretrained(name)]
    return {
        "name": name,
        "description": spec.description,
        "source": spec.source,
        "input_size": list(size) if size else None,
        "num_classes": spec.num_classes,
        **_network(network, size),
        "weights": tags,
        "next": _next_of_model(name, tags, size is None),
    }


def _card(name: str) -> Row:
    """Published weights, wherever their card lies."""
    from zoo.models.build import find_spec
    from zoo.weights.architecture import build_tagged
    from zoo.weights.create import find_tag

    tag = find_tag(name)
    size = None if tag.is_text else tag.pixels.input_size
    training = tag.results.get("training") or {}
    takes = {"input_size": list(size)} if size else {"max_length": tag.tokens.max_length}
    file = _file(tag, name)
    return {
        "kind": "weights",
        "name": tag.name,
        "description": find_spec(tag.model).description,
        "trained_on": tag.dataset,
        **takes,
        "num_classes": tag.num_classes,
        "labels": list(tag.labels),
        **_network(build_tagged(tag, "meta").eval(), size),
        "model_args": dict(tag.model_args),
        "results": [_result_row(row) for row in tag.results.get("evaluations", [])],
        "comparisons": [_result_row(row) for row in tag.results.get("comparisons", [])],
        "recipe": tag.recipe,
        "training": {key: training[key] for key in ("epochs", "seconds", "device", "command") if training.get(key)},
        "license": tag.license,
        "source": tag.source,
        "file": file,
        "next": _next_of_card(tag, name, file),
    }


def _other(name: str) -> Row:
    """A run, a converted network, or one of timm or transformers; timm's weights are not fetched for it."""
    from zoo.data.labels import labels_of
    from zoo.data.preprocess import config_of
    from zoo.names import open_model

    named = open_model(name, pretrained=None)
    size = config_of(named.model).get("input_size")
    labels = labels_of(named.model)
    word = shlex.quote(name)
    return {
        "kind": named.kind,
        "name": name,
        "description": f"{type(named.model).__name__}, {_built_from(named.base)}",
        "trained_on": named.dataset or None,
        "input_size": list(size) if size else None,
        "num_classes": config_of(named.model).get("num_classes") or len(labels) or None,
        "labels": list(labels),
        **_network(named.model.to("meta").eval(), size),
        "sha256": named.sha256,
        "next": [f"zoo export {word} --target portable"]
        + ([f"zoo finetune {word} --data FOLDER", f"zoo predict --model {word} IMAGE"] if size else []),
    }


def _built_from(base: Row) -> str:
    if base["kind"] == "converted":
        return f"converted from {_built_from(base['base'])}"
    return f"{base.get('name') or base.get('class')} of {base['kind']}"


def _network(network: "nn.Module", size: Any) -> Row:
    """Parameters, multiply-adds, parts by kind and stages of a model without storage."""
    parts = _parts(network)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": _multiply_adds(network, size) if size else None,
        "norms": parts["norm"],
        "activations": parts["act"],
        "stages": [
            {"channels": info["num_chs"], "reduction": info["reduction"], "module": info["module"]}
            for info in getattr(network, "feature_info", None) or ()
        ],
    }


def _parts(network: "nn.Module") -> dict[str, dict[str, int]]:
    """Count the normalisation sites and the activations of each kind, by what they are registered as."""
    from torch import nn

    from zoo.activations.parameters import activation_spec

    found: dict[str, Counter[str]] = {"norm": Counter(), "act": Counter()}
    inside: set[nn.Module] = set()
    for module in network.modules():
        if module in inside:
            continue
        spec = activation_spec(module)
        if spec is not None:
            inside.update(module.modules())
            found["norm" if spec.role in ("stabiliser", "norm") else "act"][spec.name] += 1
        elif isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.modules.batchnorm._BatchNorm):
            found["norm"][type(module).__name__] += 1
    return {kind: dict(counts) for kind, counts in found.items()}


def _multiply_adds(network: "nn.Module", size: tuple[int, int, int]) -> int:
    """Of convolutions, matrix products and attention for one image, as PyTorch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, *size, device="meta"))
    return int(counter.get_total_flops()) // 2


def _result_row(row: Row) -> Row:
    """The figures of a stored evaluation or comparison, without its log and conditions."""
    runtime = row.get("runtime")
    kept = {
        key: row[key] for key in ("label", "dataset", "split", "n", "top1", "top5", "metrics", "note") if key in row
    }
    return kept | ({"runtime": runtime.get("target") or runtime.get("kind")} if isinstance(runtime, dict) else {})


def _file(tag: "PretrainedTag", name: str) -> Row:
    """The weights file: where it is if it is here, its size, its hash."""
    from zoo.card_folders import card_folder

    place = Path(name).expanduser()
    here = (place if place.is_dir() else card_folder(tag.name)) / tag.file
    size = here.stat().st_size if here.is_file() else None
    repo = f"{tag.repo}@{tag.revision}" if tag.repo and tag.revision else None
    return {"path": str(here) if size else None, "hub": repo, "size_bytes": size, "sha256": tag.sha256}


def _next_of_model(name: str, tags: list[Row], text: bool) -> list[str]:
    had = [row["name"] for row in tags if row["where"] != ELSEWHERE]
    if had:
        return [f"zoo info {had[0]}", *([] if text else [f"zoo predict IMAGE --model {had[0]}"])]
    return [f"zoo export {name} --no-pretrained"] + ([] if text else [f"zoo bench {name}"])


def _next_of_card(tag: "PretrainedTag", name: str, file: Row) -> list[str]:
    """Commands to go on with; without the weights, those that need none."""
    from zoo.console.completion import finetune_recipes, recipes

    if not (file["path"] or file["hub"]):
        known = {**dict.fromkeys(recipes(), "train"), **dict.fromkeys(finetune_recipes(), "finetune")}
        task = f" --task {shlex.quote(tag.dataset)}" if tag.is_text else ""
        again = [f"zoo {known[tag.recipe]} {shlex.quote(tag.recipe)}{task}"] if tag.recipe in known else []
        return [*again, f"zoo export {tag.model} --no-pretrained"]
    word, data = shlex.quote(name), shlex.quote(tag.dataset)
    first = [] if tag.is_text else [f"zoo predict IMAGE --model {word}"]
    measure = f"zoo evaluate {word} {'--task' if tag.is_text else '--dataset'} {data}"
    return [*first, measure, f"zoo export {word} --target portable"]
