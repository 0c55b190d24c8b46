"""`python -m zoo`, which is also what torchrun and `accelerate launch` start: `torchrun -m zoo evaluate ...`."""

from zoo.cli import main

if __name__ == "__main__":
    main()
