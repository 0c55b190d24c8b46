"""Folders around an exported file: for machines without PyTorch, for Triton, for browsers."""
