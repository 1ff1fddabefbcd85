"""Grids beyond one machine: plans in files, workers that run cells by key, and who sends them."""
