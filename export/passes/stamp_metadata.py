"""The file's record of itself."""

import onnx_ir as ir

from export.metadata import FileMetadata


class StampMetadata(ir.passes.InPlacePass):
    """Write labels, preprocessing, digests and versions into the model's metadata properties.

    1. Each field of the record becomes one property under our prefix.
    2. Producer, graph name and description are set to ours.
    """

    def __init__(self, record: FileMetadata) -> None:
        super().__init__()
        self.record = record

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Stamp in place."""
        model.metadata_props.update(self.record.to_props())
        model.producer_name, model.producer_version = "salu-zoo", self.record.zoo_version
        model.graph.name = self.record.name
        model.doc_string = f"{self.record.name}, exported for the target {self.record.target}"
        return ir.passes.PassResult(model, modified=True)
