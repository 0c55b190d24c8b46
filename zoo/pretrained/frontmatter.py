"""What the Hub reads of a card: the YAML block at the top of README.md, made and validated by huggingface_hub."""

from zoo.data import DATASETS
from zoo.pretrained.results import runtime_of, size_of
from zoo.pretrained.tag import PretrainedTag

LIBRARY = "salu-zoo"


def front_matter(tag: PretrainedTag) -> str:
    """The block between `---` lines: licence, library, dataset, and every measured figure as a model-index entry.

    Args:
        tag: the card, with its results.
    """
    from huggingface_hub import EvalResult, ModelCardData

    rows = []
    for result in tag.results.get("evaluations", []):
        detail = f"{runtime_of(result)}, {size_of(result)}"
        for key, title in (("top1", "Top-1"), ("top5", "Top-5")):
            if result.get(key) is not None:
                rows.append(
                    EvalResult(
                        task_type="image-classification",
                        dataset_type=_hub_id(result["dataset"]) or result["dataset"],
                        dataset_name=result["dataset"],
                        dataset_split=result["split"],
                        metric_type="accuracy",
                        metric_name=f"{title} (%), {detail}",
                        metric_value=round(result[key], 2),
                    )
                )
    dataset = _hub_id(tag.dataset)
    data = ModelCardData(
        model_name=tag.name,
        license=tag.license,
        library_name=LIBRARY,
        pipeline_tag="image-classification",
        tags=["image-classification", LIBRARY, "salunet", "normalization-free"],
        datasets=[dataset] if dataset else None,
        metrics=["accuracy"],
        eval_results=rows or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def _hub_id(dataset: str) -> str | None:
    return DATASETS.get(dataset).hub_id if dataset in DATASETS else None
