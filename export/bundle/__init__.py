"""An exported file as a folder that runs without PyTorch, without the zoo and without `export`."""

from export.bundle.write import write_bundle

__all__ = ["write_bundle"]
