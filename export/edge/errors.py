"""The one error of this folder; it cannot be one of `export`, which is not there where the folder runs."""


class EdgeError(Exception):
    """A file, an image or the machine is not what the model needs; the message says what to do."""
