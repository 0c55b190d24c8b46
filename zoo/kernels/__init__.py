"""Fused kernels of the activations: each reads its tensors once and writes its result once.

The definitions stay in `zoo.activations`; a kernel computes the same in float32. `ops` holds them as custom
operators of PyTorch, written in Triton for CUDA and in C++ for the CPU (`cpu`); `choose` says when one is used. Nothing
here loads Triton before the first launch.
"""
