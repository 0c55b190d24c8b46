"""Settings for serving a model: what a file cannot know."""

from dataclasses import dataclass

from zoo.errors import ConfigurationError

BACKENDS, DEVICES = ("onnxruntime", "python"), ("cpu", "gpu")
# What a backend does not take: the Python backend finds operators and engines where its own salu-zoo keeps them.
_ONE_BACKEND = {"onnxruntime": ("encoded_images",), "python": ("root", "engine_cache")}


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of Triton for one model; the defaults suit one machine with one device.

    Args:
        backend: Triton's: "onnxruntime", which is in NVIDIA's container, or "python", which opens the file with the
            salu-zoo of its Python: layouts, operators and checks are those of `open_session`.
        device: "cpu" or "gpu"; "" takes the one that the file's target names.
        encoded_images: take an image also as the bytes of its file, as the input `encoded`; the server decodes it and
            applies the file's preprocessing. By the Python backend only.
        max_batch_size: the most images or texts that run together; those of several requests, if they are of one size.
        max_queue_delay_us: how long, in microseconds, a request may wait for others to run with; 0 takes those that
            are there.
        instances: copies of the model that run at the same time, on each device.
        threads: of one operator on the CPU; 0 leaves it to ONNX Runtime, which takes all cores.
        versions: how many versions are served, the newest ones.
        warmup: run the model once before it counts as ready.
        root: the repository's path as the server sees it, for the library of our operators, which Triton opens by its
            path; "" takes the path it is written to. In Triton's container this is usually "/models".
        engine_cache: a folder of the server where TensorRT keeps its engines; "" builds them at every start.

    Raises:
        ConfigurationError: a number is out of range, a path is not absolute, or the backend does not take a setting.
    """

    backend: str = "onnxruntime"
    device: str = ""
    encoded_images: bool = False
    max_batch_size: int = 32
    max_queue_delay_us: int = 100
    instances: int = 1
    threads: int = 0
    versions: int = 1
    warmup: bool = True
    root: str = ""
    engine_cache: str = ""

    def __post_init__(self) -> None:
        least = {"max_batch_size": 1, "max_queue_delay_us": 0, "instances": 1, "threads": 0, "versions": 1}
        for name, lowest in least.items():
            if not isinstance(getattr(self, name), int) or getattr(self, name) < lowest:
                given = getattr(self, name)
                raise ConfigurationError(f"Serving: {name} is {given!r}; give a whole number from {lowest} up.")
        for name, known in (("backend", BACKENDS), ("device", ("", *DEVICES))):
            if getattr(self, name) not in known:
                given = getattr(self, name)
                raise ConfigurationError(f"Serving: {name} is {given!r}; give one of {', '.join(filter(None, known))}.")
        strange = [name for name in _ONE_BACKEND[self.backend] if getattr(self, name)]
        if strange:
            raise ConfigurationError(
                f"Serving: the backend {self.backend} has no use for {', '.join(strange)}. Leave it out, or take the "
                "other backend."
            )
        for name in ("root", "engine_cache"):
            if getattr(self, name) and not getattr(self, name).startswith("/"):
                raise ConfigurationError(f"Serving: {name} is {getattr(self, name)!r}; give an absolute path.")
