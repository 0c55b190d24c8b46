"""What each fused operator takes, for all that define, choose or launch one."""

ARGUMENTS = {
    "salu": "x, a, b",
    "swalu": "x, a, b",
    "galu": "x, a, b",
    "salu_swalu": "x, a, b, c, d",
    "salu_add_swalu": "x, a, b, skip, c, d",
    "salu_add_salu_swalu": "x, a, b, skip, e, f, c, d",
    "fles": "x, vertical, horizontal",
}
"""Those of each operator, in the order of its definition; all are tensors."""

SHORTCUT = 3
"""Where an operator that has one takes the shortcut: after x, a and b."""

SCALAR = tuple(name for name in ARGUMENTS if name != "fles")
"""Operators whose coefficients are one number each."""

WITH_SHORTCUT = tuple(name for name, arguments in ARGUMENTS.items() if "skip" in arguments)
"""Operators that have a shortcut."""
