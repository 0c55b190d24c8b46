"""Files of the Hugging Face Hub, and its errors in words; everything else asks for them here."""
