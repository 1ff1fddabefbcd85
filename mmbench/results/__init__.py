"""What a cell is, what it leaves, and where that lies on disk: written by grid, read by report."""

UNPACKAGED = "not packaged"  # the distribution of a class that no package declares
