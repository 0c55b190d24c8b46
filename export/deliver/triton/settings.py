"""Settings for serving a model: what a file cannot know."""

from dataclasses import dataclass

from zoo.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of Triton for one model; the defaults suit one machine with one device.

    Args:
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
        ConfigurationError: a number is out of range, or a path is not absolute.
    """

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
        for name in ("root", "engine_cache"):
            if getattr(self, name) and not getattr(self, name).startswith("/"):
                raise ConfigurationError(f"Serving: {name} is {getattr(self, name)!r}; give an absolute path.")
