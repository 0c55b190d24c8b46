"""This project's ONNX operators, seen from Python: their nodes, attributes and types."""
