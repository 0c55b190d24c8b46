"""Cards to repositories of the Hugging Face Hub."""
