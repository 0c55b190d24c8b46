"""An exported file as a folder that runs without PyTorch, without the zoo and without `export`."""

from export.deliver.bundle.bundle_writer import write_bundle

__all__ = ["write_bundle"]
