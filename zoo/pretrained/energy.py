"""What a training run took in energy and carbon: an estimate from its time and device, never a measurement.

    energy (kWh) = hours · watts · PUE / 1000          carbon (g CO2e) = energy · grid intensity

watts is what the processors in use are taken to draw at full load: `CORE_WATTS` for each CPU thread, the maker's board
power for a known GPU. Nothing is said of a device that is not known. Memory, disks and idle parts are left out, since
their size is not recorded. The form is that of Lannelongue, Grealey, Inouye: Green Algorithms (Advanced Science, 2021),
and so are PUE and grid intensity, both averages over the world.
"""

import re
from collections.abc import Mapping
from typing import Any

CORE_WATTS = 12.0
"""Of a server processor's core at full load [ours: 200 to 350 W over 16 to 32 cores is about 8 to 20 W]."""

GPU_WATTS = {"H200": 700.0, "H100 PCIe": 350.0, "H100": 700.0, "A100": 400.0, "V100": 300.0, "L4": 72.0, "T4": 70.0}
"""Board power by a word of the device's name, the first that fits; of the maker's data sheets, SXM if not said."""

PUE = 1.67
"""Power usage effectiveness: what a data centre draws for each watt of its computers."""

GRID_G_PER_KWH = 475.0
"""Grams of CO2 equivalents per kWh of electricity."""


def estimate(training: Mapping[str, Any]) -> dict[str, Any] | None:
    """The estimate for the part `training` of a card's results, or None where time or device are not known.

    Args:
        training: `seconds`, `device`, and where recorded `threads` and `processes`.

    Returns:
        kwh, co2_g and everything they follow from: hours, watts, what they were taken from, pue, grid_g_per_kwh.
    """
    seconds = training.get("seconds")
    found = _power(str(training.get("device", "")), training.get("threads"), training.get("processes") or 1)
    if not isinstance(seconds, int | float) or seconds <= 0 or found is None:
        return None
    watts, basis = found
    hours = seconds / 3600
    kwh = hours * watts * PUE / 1000
    return {
        "kind": "estimate",
        "hours": round(hours, 3),
        "watts": watts,
        "basis": basis,
        "pue": PUE,
        "grid_g_per_kwh": GRID_G_PER_KWH,
        "kwh": float(f"{kwh:.3g}"),
        "co2_g": float(f"{kwh * GRID_G_PER_KWH:.3g}"),
    }


def _power(device: str, threads: Any, processes: int) -> tuple[float, str] | None:
    """Watts in use and what that rests on."""
    for name, watts in GPU_WATTS.items():
        if name in device:
            return watts * processes, f"{name} GPUs: {processes}, at their board power of {watts:g} W"
    if "cpu" not in device.lower() or "cuda" in device.lower():
        return None
    told = re.search(r"(\d+)(?:-core| threads)", device)
    cores = threads if isinstance(threads, int) else int(told[1]) if told else None
    if not cores:
        return None
    return CORE_WATTS * cores * processes, f"CPU threads: {cores * processes}, at {CORE_WATTS:g} W each"
