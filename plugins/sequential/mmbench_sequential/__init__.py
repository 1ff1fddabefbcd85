"""Sequential recommenders with full-softmax training, as mmbench models."""
