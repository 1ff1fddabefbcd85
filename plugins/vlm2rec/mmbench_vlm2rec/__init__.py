"""VLM2Rec as an mmbench model: histories and items embedded by a vision-language model."""
