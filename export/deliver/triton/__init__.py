"""Exported files for Triton Inference Server. Triton is the engine; nothing here serves by itself."""

from export.deliver.triton.repository import Served, write_triton_repository
from export.deliver.triton.settings import ServeSettings

__all__ = ["ServeSettings", "Served", "write_triton_repository"]
