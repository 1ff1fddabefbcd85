"""Results: a cell and its record, one schema; written by the grid, read by reports."""
