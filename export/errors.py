"""Every error a user of `export` can cause; all of them are `ZooError`s, so the command line prints them alike."""

from zoo.errors import ShapeError, UnknownNameError, ZooError


class ExportError(ZooError):
    """Base of the errors of `export`; a message says what was asked, what was found and what to do."""


class TargetError(ExportError, UnknownNameError):
    """No target has that name; the message offers the nearest ones."""


class LoweringError(ExportError):
    """PyTorch cannot turn the model into an ONNX graph, or the graph is not what the target allows."""


class ParityError(ExportError):
    """The exported file and the PyTorch model disagree by more than the tolerance; nothing was written."""


class ProviderError(ExportError):
    """ONNX Runtime does not offer, or could not start, an execution provider that was asked for."""


class OnnxFileError(ExportError):
    """A file is missing, is not ONNX, is truncated, or was not written by this package."""


class InputError(ExportError, ShapeError):
    """An input has another name, type, layout or shape than the file takes."""


class ChangedFileError(OnnxFileError):
    """A file that this package wrote no longer holds what was exported, or says what its graph contradicts."""


class ModelMismatchError(ExportError):
    """An ONNX file was exported from another model, or from other weights, than the one it is held against."""


class BlockedLayoutError(ExportError):
    """A graph could not be brought into ONNX Runtime's blocked or integer layout with our operators inside it."""


class WebRuntimeError(ExportError):
    """onnxruntime-web cannot be had: not in the cache and not reachable, or not the version the page is made for."""


class WebPageError(ExportError):
    """A page cannot be made of the file: it takes no images, or needs what a browser does not have."""


class CalibrationError(ExportError):
    """Images to calibrate 8-bit integers on are missing, have the wrong shape, or give no finite ranges."""


class BudgetError(ExportError):
    """In 8-bit integers a model loses more accuracy than it may; nothing was written."""
