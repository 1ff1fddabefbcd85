"""PRIME: a retriever, a ranker that sees, and what the one learns from the other."""
