"""Exported files for Triton Inference Server. Triton is the engine; nothing here serves by itself."""

from export.serve.repository import Served, write_triton_repository
from export.serve.settings import ServeSettings

__all__ = ["ServeSettings", "Served", "write_triton_repository"]
