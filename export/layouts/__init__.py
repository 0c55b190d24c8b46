"""Graphs in the layouts that ONNX Runtime computes in on this machine, with this project's operators in them."""
