"""Training of networks: recipes as code, deterministic where asked, resumable to the bit."""

from workers.training.checkpoint import CheckpointError
from workers.training.drive import Fit, Watcher, drive
from workers.training.evaluation import evaluate, recalibrate
from workers.training.trainer import Trainer

__all__ = ["CheckpointError", "Fit", "Trainer", "Watcher", "drive", "evaluate", "recalibrate"]
