"""What a cell is, what it leaves, and where that lies on disk: written by grid, read by report."""
