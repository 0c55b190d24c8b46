"""Image classification datasets by name: from the Hub, or from a local folder of parquet files or class folders."""

from pathlib import Path

from zoo.data.image_dataset import ImageDataset, dataset_spec
from zoo.errors import DataNotFoundError, UnknownNameError


def load_vision(name: str, split: str | None = None, data: str | Path | None = None) -> ImageDataset:
    """Open one split of a dataset.

    Args:
        name: a name in `DATASETS`, or ORG/NAME of a dataset of the Hub.
        split: which part; None takes the dataset's own default for evaluation.
        data: a local folder that holds parquet files as the Hub repository does (at any of its levels), or one folder
            of images per class (with or without a folder per split above). None fetches from the Hub, into its cache;
            `HF_ENDPOINT`, `HF_HOME` and `HF_HUB_OFFLINE` are honoured. Nothing is written into `data`.

    Returns:
        The dataset; images are decoded when they are asked for.

    Raises:
        UnknownNameError: no such dataset or split.
        DataNotFoundError: no such folder, file, split or column; files that cannot be read; the Hub not reachable.
    """
    from zoo.data import _folder, _table
    from zoo.data._parquet import existing_folder, find_parquet

    spec = dataset_spec(name)
    if split is not None and spec.splits and split not in spec.splits:
        raise UnknownNameError(f"split of {name}", split, spec.splits)
    if data is not None:
        folder = existing_folder(spec, Path(data))
        files = find_parquet(spec, folder)
        if files:
            return _table.from_parquet(spec, split or spec.default_split or "test", folder, files)
        return _folder.from_image_folder(spec, split, folder)
    if spec.hub_id is None:
        raise DataNotFoundError(f"Dataset {name!r} is read from disk only: name its folder with --data FOLDER.")
    return _table.from_hub(spec, split or spec.default_split or "test")
