"""PReLU's slope behind BatchNorm, behind nothing and behind SALU (the paper's figure 1 and appendix A)."""
