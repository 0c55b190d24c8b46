"""The proof that an exported file and its PyTorch model agree."""
