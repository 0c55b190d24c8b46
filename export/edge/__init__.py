"""Exported files on a machine that has Python, numpy, Pillow and onnxruntime only: no torch, no zoo, not even `export`.

A bundle holds a copy of this folder, so its modules import the standard library, numpy and each other; Pillow,
tokenizers, onnxruntime and openvino load where they are used.
"""
