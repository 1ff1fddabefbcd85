"""Collaborative filtering that knows who had what, and no order: als and userknn."""
