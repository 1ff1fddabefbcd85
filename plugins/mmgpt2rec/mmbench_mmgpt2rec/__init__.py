"""MM-GPT2Rec: GPT-2 reads and predicts items whose vectors are fused from titles and pictures."""
