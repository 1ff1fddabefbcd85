"""Observers that tell trackers of cells: wandb, mlflow, tensorboard and jsonl."""
