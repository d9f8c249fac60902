"""What jobs that train have in common: the data, the device, provenance, checkpoints, kept weights."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.architecture import cost
from app.experiment import Dataset, Device, EvaluationKind, MeasuredEvaluation, SearchRecipe, Split, TrainingRecipe
from app.settings import load_settings
from app.space import Genotype, SearchSpace, Skeleton, space_from_json
from workers.data import Images, load
from workers.progress import Progress
from workers.training import checkpoint
from workers.training.determinism import deterministic, limit_threads
from workers.training.discrete import Candidate, discrete_graph, weights_record
from workers.training.pace import device_words


class RequestError(ValueError):
    """A request asks for what this worker cannot do; the message says what, and what it could."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One attempt at a job."""

    space: SearchSpace
    images: Images
    device: torch.device
    seed: int
    code_version: str
    progress: Progress
    earlier_seconds: float = 0.0  # spent by the attempts whose checkpoint this one goes on from
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Wall-clock time spent on the job, all attempts together."""
        return self.earlier_seconds + time.monotonic() - self.started

    @property
    def gpu_hours(self) -> float:
        """The same in GPU hours; 0 on a CPU."""
        return self.seconds / 3600 if self.device.type == "cuda" else 0.0

    @property
    def device_name(self) -> str:
        """The device in words, e.g. "NVIDIA H100 80GB HBM3" or "cpu, 2 threads"."""
        return device_words(self.device)

    def provenance(self) -> dict[str, object]:
        """Where and by what this was measured, and how long it took."""
        return {
            "device": self.device_name,
            "torch_version": torch.__version__,
            "code_version": self.code_version,
            "seed": self.seed,
            "seconds": self.seconds,
        }

    def evaluation(
        self,
        genotype: Genotype,
        skeleton: Skeleton,
        kind: EvaluationKind,
        split: Split,
        metrics: Mapping[str, float],
        recipe: TrainingRecipe | SearchRecipe,
        *,
        seconds: float,
        weights: str | None = None,
    ) -> MeasuredEvaluation:
        """One measured result with its cost and everything that says what it means."""
        price = cost(discrete_graph(self.space, genotype, skeleton, self.images))
        return MeasuredEvaluation(
            genotype=genotype,
            skeleton=skeleton,
            kind=kind,
            dataset=self.images.dataset.reference,
            split=split,
            recipe=recipe,
            seed=self.seed,
            metrics=metrics,
            params=price.params,
            macs=price.macs,
            device=self.device_name,
            torch_version=torch.__version__,
            code_version=self.code_version,
            seconds=seconds,
            weights=weights,
            provenance={"processors": os.cpu_count() or 1, "space": self.space.identity, **self._data()},
            input=self.images.dataset.input,
        )

    def _data(self) -> dict[str, object]:
        """Which file of images it was, where the name alone does not say it."""
        stored = self.images.dataset.stored
        return {} if stored is None else {"dataset_digest": stored.digest}

    def keep_weights(self, name: str, candidate: Candidate, judged: Mapping[Split, Mapping[str, float]]) -> str:
        """Keeps a trained network's tensors for good; returns the artefact's name."""
        tensors = candidate.trainer.network.state_dict()
        record = weights_record(candidate, judged)
        return self.progress.keep(name, lambda file: checkpoint.save(file, tensors, record))

    def writer(
        self, state: Callable[[], tuple[dict[str, Tensor], dict[str, object]]], job: Callable[[], Mapping[str, object]]
    ) -> Callable[[Path], None]:
        """What writes a checkpoint: the state of whatever is being fitted, and what the handler knows so far."""

        def write(file: Path) -> None:
            tensors, fit = state()
            checkpoint.save(file, tensors, {"fit": fit, "job": job(), "seconds": self.seconds})

        return write

    def resumed(self) -> "Saved | None":
        """What the last checkpoint holds, its seconds counted; None where there is none."""
        found = self.progress.resume()
        if found is None:
            return None
        tensors, record = checkpoint.load(found.file)
        match record:
            case {"fit": dict(fit), "job": dict(job), "seconds": float(seconds)}:
                self.earlier_seconds = seconds
                return Saved(tensors=tensors, fit=fit, job=job)
        raise checkpoint.CheckpointError(f"{found.file}: its record has no fit, job and seconds, only {sorted(record)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A checkpoint's contents."""

    tensors: dict[str, Tensor]
    fit: dict[str, object]  # of what was being fitted; empty between two fits
    job: dict[str, Any]  # what the handler put there


def choose_device(asked: Device) -> torch.device:
    """The device for a request. Raises RequestError where CUDA is asked for and not there."""
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise RequestError("device 'cuda' was asked for, but this worker sees no CUDA device")
    return torch.device("cuda" if available and asked != "cpu" else "cpu")


def images_for(skeletons: tuple[Skeleton, ...], dataset: str, data: Dataset | None) -> Images:
    """A data set for these skeletons. Raises DataError, or RequestError where they have other classes."""
    images = load(data or dataset, load_settings().data_root)
    for skeleton in skeletons:
        if skeleton.num_classes != images.dataset.num_classes:
            raise RequestError(
                f"the skeleton has {skeleton.num_classes} classes, {dataset} has {images.dataset.num_classes}"
            )
    return images


@contextmanager
def session(
    document: Mapping[str, object],
    skeletons: tuple[Skeleton, ...],
    dataset: str,
    data: Dataset | None,
    *,
    seed: int,
    device: Device,
    deterministically: bool,
    progress: Progress,
) -> Iterator[Session]:
    """Everything that a handler needs, checked before any work.

    Raises GrammarError, DataError or RequestError where the request cannot be served.
    """
    s = opened(space_from_json(document), skeletons, dataset, data, seed=seed, device=device, progress=progress)
    with deterministic(deterministically, strict=s.device.type == "cpu"):
        yield s


def opened(
    space: SearchSpace,
    skeletons: tuple[Skeleton, ...],
    dataset: str,
    data: Dataset | None,
    *,
    seed: int,
    device: Device,
    progress: Progress,
) -> Session:
    """The same, whether torch is to be deterministic being the caller's. Raises DataError or RequestError."""
    limit_threads()
    return Session(
        space=space,
        images=images_for(skeletons, dataset, data),
        device=choose_device(device),
        seed=seed,
        code_version=load_settings().code_version,
        progress=progress,
    )
