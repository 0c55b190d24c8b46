"""Times as people say them."""


def duration(seconds: float) -> str:
    """A time as people say it: `1 h 18 min`, `5 min 20 s`, `42 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def roughly(seconds: float) -> str:
    """An estimate, with no more digits than it deserves: `8 s`, `about 20 s`, `about 3 min`, `about 1 h 20 min`."""
    for unit, limit in ((1, 10), (5, 60), (60, 3600), (600, float("inf"))):
        rounded = unit * max(1, round(seconds / unit))
        if rounded < limit:
            return "about " + duration(rounded).removesuffix(" 0 s").removesuffix(" 0 min")
    return "about " + duration(seconds)
