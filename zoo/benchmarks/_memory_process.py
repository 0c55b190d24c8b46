"""The process that `training_memory.step_memory` starts: one subject as JSON in, its memory as JSON out."""

import json
import sys
from dataclasses import asdict

from zoo.benchmarks.training_memory import measure_here

if __name__ == "__main__":
    print(json.dumps(asdict(measure_here(json.loads(sys.argv[1])))))
