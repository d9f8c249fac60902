"""Checkpoints: tensors as safetensors, everything else as JSON in the same file's header. Nothing is ever pickled.

A file holds one flat table of tensors; parts of a training put their names behind a prefix ("model/", "sgd/") and
take them back by it. The one metadata entry "cellar" is a JSON object.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or does not fit what is to be restored."""


def save(file: Path, tensors: Mapping[str, Tensor], record: Mapping[str, object]) -> None:
    """Writes one file. Tensors that share memory are stored once each, as copies."""
    kept = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    save_file(kept, file, metadata={"cellar": json.dumps({"format": FORMAT, **record}, allow_nan=True)})


def load(file: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Tensors on the CPU and the record. Raises CheckpointError where the file is damaged or not a checkpoint."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: not a readable safetensors file: {error}") from error
    if "cellar" not in metadata:
        raise CheckpointError(f"{file}: its header has no entry 'cellar', only {sorted(metadata)}")
    try:
        record = json.loads(metadata["cellar"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: its entry 'cellar' is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise CheckpointError(f"{file}: its entry 'cellar' is not an object, but {type(record).__name__}")
    if record.get("format") != FORMAT:
        raise CheckpointError(f"{file}: checkpoint format {record.get('format')!r}, this version reads {FORMAT}")
    return tensors, record


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The table with every name behind a prefix."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def part(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries behind a prefix, their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors by "<parameter number>/<entry>". Its settings come from the recipe, not from here."""
    state = optimiser.state_dict()["state"]
    return {
        f"{number}/{entry}": torch.as_tensor(value)
        for number, entries in state.items()
        for entry, value in entries.items()
        if value is not None
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimiser_state`, on an optimiser freshly made over the same parameters in the same order."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, entry = name.split("/", 1)
        state.setdefault(int(number), {})[entry] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


@torch.no_grad()
def restore_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies tensors into a module's; raises CheckpointError naming what is missing, left over or of another shape."""
    held = module.state_dict()
    wrong = sorted(held.keys() ^ tensors.keys())
    wrong += [name for name in held.keys() & tensors.keys() if held[name].shape != tensors[name].shape]
    if wrong:
        raise CheckpointError(f"the checkpoint does not fit the network: {len(wrong)} tensors, {wrong[:5]} among them")
    for name, tensor in held.items():  # the module's own memory
        tensor.copy_(tensors[name])


def place(record: Mapping[str, object]) -> tuple[int, int, dict[str, float]]:
    """Epoch, step and tally out of a record. Raises CheckpointError where they are missing."""
    match record:
        case {"epoch": int(epoch), "step": int(step), "tally": dict(tally)}:
            return epoch, step, tally
    raise CheckpointError(f"the record has no epoch, step and tally, only {sorted(record)}")


def parts(record: Mapping[str, object]) -> int:
    """Into how many parts batches were cut, out of a record; 1 where it says nothing of it."""
    found = record.get("parts", 1)
    if not isinstance(found, int) or found < 1:
        raise CheckpointError(f"the record's parts are {found!r}, a positive integer was expected")
    return found
