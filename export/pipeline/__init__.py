"""From a model and a target to a proven file: the plan, its steps, and proofs made again later."""
