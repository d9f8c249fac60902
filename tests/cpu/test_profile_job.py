"""Profile jobs from end to end: what is measured, how often, and what is kept of a job that was stopped."""

import gc
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import cost, count, lower, lower_operation
from app.architecture.entries import entries
from app.architecture.workload import workload
from app.experiment import KnownEntries, MeasuredProfile, ProfiledOperation, ProfileRequest, SpaceVersion
from app.experiment.latency import WholeLatency, predict
from app.space import CellSkeleton, ImageInput, InvalidGenotype, space_to_json
from app.space.zoo import ZOO, darts
from workers import profile, stopwatch
from workers.peak import peak_of
from workers.progress import Stopped
from workers.session import RequestError
from workers.stopwatch import Conditions, Subject

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
SKELETON = CellSkeleton(channels=4, num_cells=3)
IMAGE = ImageInput(channels=1, height=8, width=8)
OPERATIONS = tuple(
    ProfiledOperation(operation=name, channels=4, width=4, size=(8, 8), stride=stride)
    for name in ("skip_connect", "sep_conv_3x3", "none")
    for stride in (1, 2)
)
REQUEST = ProfileRequest(operations=OPERATIONS, batch_size=2, rounds=3, threads=1, device="cpu")
MEMBERS = replace(
    REQUEST,
    operations=(),
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotypes=tuple(SPACE.plan.unrank(index) for index in (0, 5)),
    skeleton=SKELETON,
    input=IMAGE,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setattr(stopwatch, "SAMPLE_MS", 0.2)
    monkeypatch.setattr(stopwatch, "WARM_MS", 0.5)


def assert_sound(measured: MeasuredProfile, request: ProfileRequest) -> None:
    assert 0 < measured.minimum_ms <= measured.q1_ms <= measured.median_ms <= measured.q3_ms
    assert measured.n == request.rounds
    assert 1 <= measured.runs <= stopwatch.MOST_RUNS
    assert measured.peak_memory_bytes is not None
    shape = 4 * request.batch_size
    assert measured.peak_memory_bytes >= 4 * measured.params + shape
    assert (measured.batch_size, measured.threads, measured.torch_version) == (2, 1, torch.__version__)
    json.dumps([measured.description, measured.entries], allow_nan=False)


@pytest.mark.parametrize("direction", ["forward", "forward+backward"])
def test_operations_and_all_that_they_compute(memory_progress: Memory, tmp_path: Path, direction: Any) -> None:
    request, progress = replace(REQUEST, direction=direction), memory_progress(tmp_path)
    outcome = profile.run(request, progress)
    wholes = [p for p in outcome.profiles if p.target == "operation"]
    alone = {p.key: p for p in outcome.profiles if p.target == "entry"}
    assert [p.description["operation"] for p in wholes] == [o.operation for o in OPERATIONS]
    assert len(wholes) + len(alone) == len(outcome.profiles) == outcome.result["measurements"]
    for measured in outcome.profiles:
        assert_sound(measured, request)
    for asked, measured in zip(OPERATIONS, wholes, strict=True):
        graph = lower_operation(asked.operation, channels=4, size=(8, 8), stride=asked.stride)
        assert measured.params == count(graph)
        assert measured.entries == {e.key: n for e, n in entries(graph, image=False).items()}
    assert set(alone) == {key for p in wholes for key in p.entries}
    assert progress.order == [("profile", 1), ("profile", 2)][: -(-len(outcome.profiles) // profile.BLOCK)]


def test_architectures_fill_the_table_that_predicts_them(memory_progress: Memory, tmp_path: Path) -> None:
    outcome = profile.run(MEMBERS, memory_progress(tmp_path))
    wholes = [p for p in outcome.profiles if p.target == "architecture"]
    assert len(wholes) == 2
    for genotype, measured in zip(MEMBERS.genotypes, wholes, strict=True):
        price = cost(lower(SPACE.grammar, SKELETON, IMAGE, SPACE.plan.read(genotype)))  # pyright: ignore[reportArgumentType]
        assert (measured.params, measured.macs) == (price.params, price.macs)
        assert measured.architecture is not None
        assert measured.architecture.genotype == genotype
        assert_sound(measured, MEMBERS)
    table = {p.key: p.median_ms for p in outcome.profiles if p.target == "entry"}
    found = predict(wholes[0].entries, table, [WholeLatency(p.entries, p.median_ms) for p in wholes])
    assert found.sum_ms > 0
    assert found.error is not None
    assert found.error.architectures == 2


def test_only_what_is_wanted_is_measured(memory_progress: Memory, tmp_path: Path) -> None:
    whole = profile.run(replace(REQUEST, entries=False), memory_progress(tmp_path / "whole"))
    assert {p.target for p in whole.profiles} == {"operation"}
    alone = profile.run(replace(REQUEST, whole=False), memory_progress(tmp_path / "alone"))
    assert {p.target for p in alone.profiles} == {"entry"}
    twice = replace(REQUEST, operations=OPERATIONS[:1] * 2, entries=False)
    assert len(profile.run(twice, memory_progress(tmp_path / "twice")).profiles) == 1
    with pytest.raises(RequestError, match="nothing is to be measured"):
        profile.run(replace(REQUEST, whole=False, entries=False), memory_progress(tmp_path / "none"))


def test_every_entry_of_a_space_is_measured_but_those_that_are_known(memory_progress: Memory, tmp_path: Path) -> None:
    every = replace(MEMBERS, genotypes=(), every=True)
    first = profile.run(every, memory_progress(tmp_path / "every"))
    graph = lower(SPACE.grammar, SKELETON, IMAGE)
    assert {p.key for p in first.profiles} == {entry.key for *_, entry in workload(graph)}
    table = {p.key: p.median_ms for p in first.profiles}
    for index in range(SPACE.plan.size):
        member = lower(SPACE.grammar, SKELETON, IMAGE, SPACE.plan.read(SPACE.plan.unrank(index)))
        assert predict({entry.key: n for entry, n in entries(member).items()}, table, []).ms > 0
    one = first.profiles[0]
    keys = tuple(p.key for p in first.profiles[3:])
    known = KnownEntries(device=one.device, threads=one.threads, torch_version=one.torch_version, keys=keys)
    rest = profile.run(replace(every, known=known), memory_progress(tmp_path / "rest"))
    assert [p.key for p in rest.profiles] == [p.key for p in first.profiles[:3]]
    elsewhere = memory_progress(tmp_path / "elsewhere")
    again = profile.run(replace(every, known=replace(known, torch_version="0.1")), elsewhere)
    assert len(again.profiles) == len(first.profiles)
    assert len(elsewhere.notes) == 1


def test_a_stopped_job_keeps_whole_blocks_and_goes_on_after_them(
    memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "BLOCK", 4)
    first = memory_progress(tmp_path / "first", stop_after=REQUEST.rounds + 2)
    with pytest.raises(Stopped) as stopped:
        profile.run(REQUEST, first)
    best = stopped.value.best
    assert best is not None
    assert len(best.profiles) == best.result["measurements"] == 4
    second = first.next_attempt(tmp_path / "second")
    outcome = profile.run(REQUEST, second)
    assert outcome.profiles[:4] == best.profiles
    assert len({(p.target, p.key) for p in outcome.profiles}) == len(outcome.profiles) > 8
    assert second.notes == []


def test_a_job_that_moves_to_another_device_starts_over(memory_progress: Memory, tmp_path: Path) -> None:
    first = memory_progress(tmp_path / "first")
    profile.run(REQUEST, first)
    second = first.next_attempt(tmp_path / "second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "device_name", lambda device: "another processor")
        outcome = profile.run(REQUEST, second)
    assert {p.device for p in outcome.profiles} == {"another processor"}
    assert len(second.notes) == 1


def test_what_cannot_be_measured_says_why(memory_progress: Memory, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="100000 threads"):
        profile.run(replace(REQUEST, threads=100_000), memory_progress(tmp_path))
    with pytest.raises(InvalidGenotype):
        profile.run(replace(MEMBERS, genotypes=({},)), memory_progress(tmp_path))
    with pytest.raises(RequestError, match="without their space"):
        profile.run(replace(MEMBERS, document=None), memory_progress(tmp_path))


@pytest.mark.parametrize("name", ["nasbench201", "darts_rnn", "autoformer_t", "nas_fpn", "mobilenet_ofa"])
@pytest.mark.parametrize("direction", ["forward", "forward+backward"])
def test_every_kind_of_computation_runs_alone(name: str, direction: Any) -> None:
    space = ZOO[name]
    image = space.input if name == "darts_rnn" else IMAGE
    genotype = space.plan.unrank(12345 % space.plan.size)
    graph = lower(space.grammar, space.skeletons["small"], image, space.plan.read(genotype))
    conditions = Conditions(device=torch.device("cpu"), batch_size=2, precision="float32", direction=direction)
    ops = {entry.op: entry for entry in entries(graph)}
    assert len(ops) > 3
    for entry in ops.values():
        what = profile.planned_entry(entry)
        subject = Subject(what.graph, conditions, what.gradient)
        subject()
        assert all(tensor.grad is None for tensor in subject.network.parameters())
        assert subject.sample() > 0


def test_the_peak_of_a_pass_is_counted_exactly() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on more threads the convolution's kernel copies its input and output as well
    try:
        conditions = Conditions(device=torch.device("cpu"), batch_size=2, precision="float32", direction="forward")
        graph = lower_operation("conv_1x1", channels=4, size=(8, 8), affine=False)
        subject = Subject(graph, conditions, {"x": True})
        subject()
        peak, method = subject.peak_memory()
    finally:
        torch.set_num_threads(threads)
    map_bytes, statistics_bytes = 4 * 2 * 4 * 8 * 8, 2 * 4 * 4
    # ReLU, convolution and norm put out a map each; one that was read is dropped, so two live at once.
    assert peak == subject.resident + 2 * map_bytes + statistics_bytes
    assert "not counted" in method


def test_no_garbage_of_others_is_collected_while_a_peak_is_counted() -> None:
    def work() -> object:
        assert not gc.isenabled()
        return torch.ones(100), torch.ones(150)

    assert peak_of(work) == 4 * (100 + 150)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        peak_of(lambda: 1 / 0)
    assert gc.isenabled()


def test_a_request_comes_back_from_json() -> None:
    from pydantic import TypeAdapter

    text = json.loads(json.dumps(asdict(MEMBERS)))
    again = TypeAdapter(ProfileRequest).validate_python(text)
    assert again.skeleton == SKELETON
    assert again.input == IMAGE
    assert TypeAdapter(ProfileRequest).validate_python(json.loads(json.dumps(asdict(REQUEST)))) == REQUEST
