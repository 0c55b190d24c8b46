"""The kernels for CUDA, in Triton, and their launches. Only the launches' modules import Triton."""
