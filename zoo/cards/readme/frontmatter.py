"""Card metadata for the Hub: the YAML block at the top of README.md, made and validated by huggingface_hub."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zoo.cards.datasets import title_of
from zoo.cards.papers import has_fles
from zoo.cards.results import runtime_of, size_of
from zoo.data.glue import GLUE, METRICS
from zoo.data.image_dataset import DATASETS
from zoo.models.build import find_spec
from zoo.weights.tag import PretrainedTag

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

LIBRARY = "salu-zoo"
# GLUE's metrics by the names the Hub knows.
_HUB_METRICS = {"pearson": "pearsonr", "spearman": "spearmanr"}


def front_matter(tag: PretrainedTag) -> str:
    """The block between `---` lines: licence, library, dataset, and every measured figure as a model-index entry.

    Args:
        tag: the card, with its results.
    """
    from huggingface_hub import ModelCardData

    evaluations = tag.results.get("evaluations", [])
    rows = list(_text_rows(evaluations) if tag.is_text else _image_rows(evaluations))
    task = "text-classification" if tag.is_text else "image-classification"
    dataset = _hub_id(tag.dataset)
    data = ModelCardData(
        model_name=tag.name,
        license=tag.license,
        library_name=LIBRARY,
        pipeline_tag=task,
        tags=[task, LIBRARY, *_topics(tag)],
        datasets=[dataset] if dataset else None,
        metrics=_metrics(tag),
        eval_results=rows or None,
        **_text_facts(tag),
    )
    return f"---\n{data.to_yaml()}\n---"


def _image_rows(evaluations: list[Mapping[str, Any]]) -> "Iterator[EvalResult]":
    from huggingface_hub import EvalResult

    for result in evaluations:
        for key, title in (("top1", "Top-1"), ("top5", "Top-5")):
            if result.get(key) is not None:
                yield EvalResult(
                    task_type="image-classification",
                    dataset_type=_hub_id(result["dataset"]) or result["dataset"],
                    dataset_name=title_of(result["dataset"]),
                    dataset_split=result["split"],
                    metric_type="accuracy",
                    metric_name=f"{title} (%), {runtime_of(result)}, {size_of(result)}",
                    metric_value=round(result[key], 2),
                )


def _text_rows(evaluations: list[Mapping[str, Any]]) -> "Iterator[EvalResult]":
    from huggingface_hub import EvalResult

    for result in evaluations:
        for key, value in result["metrics"].items():
            yield EvalResult(
                task_type="text-classification",
                dataset_type=_hub_id(result["dataset"]) or result["dataset"],
                dataset_name=title_of(result["dataset"]),
                dataset_config=result["dataset"],
                dataset_split=result["split"],
                metric_type=_HUB_METRICS.get(key, key),
                metric_name=f"{METRICS.get(key, key)} (x100), {runtime_of(result)}",
                metric_value=round(100 * value, 2),
            )


def _topics(tag: PretrainedTag) -> list[str]:
    topics = find_spec(tag.model).paper.topics
    return [*topics, *(["fles"] if has_fles(tag) else []), *(["glue"] if tag.dataset in GLUE else [])]


def _metrics(tag: PretrainedTag) -> list[str]:
    if tag.dataset in GLUE:
        return [_HUB_METRICS.get(name, name) for name in GLUE.get(tag.dataset).metrics]
    return ["accuracy"]


def _text_facts(tag: PretrainedTag) -> dict[str, Any]:
    """Language and start of a text model; the start only where it is a repository of the Hub."""
    if not tag.is_text:
        return {}
    training = tag.results.get("training") or {}
    start = str(training.get("base_model") or ((training.get("recipe") or {}).get("model") or {}).get("start") or "")
    return {"language": "en"} | ({"base_model": start} if re.fullmatch(r"[\w.-]+/[\w.-]+", start) else {})


def _hub_id(dataset: str) -> str | None:
    if dataset in GLUE:
        return GLUE.get(dataset).hub_id
    return DATASETS.get(dataset).hub_id if dataset in DATASETS else None
