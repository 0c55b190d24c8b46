"""Foreign checkpoints and finished runs become cards of this zoo."""
