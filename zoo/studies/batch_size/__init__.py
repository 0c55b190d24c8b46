"""SaluNet-C-18 against BatchNorm and ReLU at batch sizes from 1 to 512 (the paper's section 6.1, table 9)."""
