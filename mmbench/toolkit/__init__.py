"""For authors of models: training in epochs, kept encodings, a base for embedding models."""
