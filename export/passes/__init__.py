"""ONNX to ONNX on onnx_ir: one pass per file. `export.lower` builds graphs, nothing but a pass here changes one."""
