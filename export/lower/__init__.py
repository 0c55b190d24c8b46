"""PyTorch to ONNX; what changes a graph afterwards is in `export.passes`."""
