"""Fine-tuning of text encoders by transformers' Trainer."""
