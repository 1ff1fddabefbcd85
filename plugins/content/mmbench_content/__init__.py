"""Content-based baselines, as mmbench models."""
