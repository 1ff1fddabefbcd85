"""Pages as HTML: one self-contained file each, readable without its script."""
