"""Data that is not here: what it is, where it lies, how it is proven and made a dataset."""
