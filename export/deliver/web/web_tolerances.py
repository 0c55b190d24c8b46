"""Tolerances of browsers against ONNX Runtime on a CPU: largest difference of a logit relative to the largest logit."""

MAX_REL = {
    # The same C++ kernels, compiled to WebAssembly with 128-bit SIMD: sums are taken in another order. Measured at 6e-7
    # and below for SaluNet, 2e-6 for EfficientNet-Lite0. FleS jumps where an element passes zero: there one image of
    # 20 differed by 4e-3, as it does between PyTorch and ONNX Runtime.
    "wasm": 1e-5,
    # WGSL allows a division an error of 2.5 units in the last place and a square root more, and drivers differ in how
    # they contract and reorder sums. Measured at 2e-6 on SwiftShader, a GPU in software; a real one may use its freedom
    # in every layer. A wrong operator shows at 1e-3 and more.
    "webgpu": 1e-4,
}
"""The one table of the page, of its tests and of `model.json`."""
