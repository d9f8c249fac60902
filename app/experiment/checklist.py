"""The reproducibility checklist of the field, filled in by a search itself.

The questions are those of M. Lindauer and F. Hutter (2020), "Best Practices for Scientific Research on Neural
Architecture Search", JMLR 21(243), arXiv:1909.02453, and of their checklist 1.0, in words of our own and by their
numbers; the last section asks what this service knows besides. An answer is what the records show and no more: what
they cannot show is told to be unknown, for an author to answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.experiment.comparison import ComparisonRequest
from app.experiment.discrete import (
    ORACLE,
    CatalogueEvaluator,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    TrainingEvaluator,
)
from app.experiment.job import JobState, SearchRequest
from app.experiment.recipe import recipe_digest
from app.experiment.strategies import DISCRETE_STRATEGIES

Answer = Literal["yes", "no", "not applicable", "cannot be known"]

_NO_TRAINING: tuple[Answer, str] = ("not applicable", "nothing is trained: untrained networks are judged")

PAPER = "M. Lindauer and F. Hutter (2020), JMLR 21(243), arXiv:1909.02453"
VERSION = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A question, its answer, and what says so."""

    number: str  # of the checklist; "s1", "s2", ... are this service's own
    section: str
    question: str
    answer: Answer
    evidence: str
    link: str | None = None  # path of what shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison on the very footing of the search."""

    id: str
    request: ComparisonRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A finished replay of the search."""

    id: str
    identical: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the records say of a search and of what is connected with it, as far as whoever asks may see it."""

    id: str
    request: SearchRequest | DiscreteSearchRequest
    state: JobState
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    comparisons: Sequence[Compared] = ()  # finished ones
    seeds: Sequence[int] = ()  # of finished searches that differ from it in nothing else, its own among them
    replays: Sequence[Replay] = ()
    table: str | None = None  # source of the published table that judges it


def checklist(facts: Facts) -> tuple[Item, ...]:
    """Every question with its answer."""
    return (*_code(facts), *_comparison(facts), *_report(facts), *_service(facts))


def counted(items: Sequence[Item]) -> dict[Answer, int]:
    """How many questions have which answer."""
    answers: tuple[Answer, ...] = ("yes", "no", "not applicable", "cannot be known")
    return {answer: sum(item.answer == answer for item in items) for answer in answers}


# -- 1: code and settings


def _code(facts: Facts) -> Iterator[Item]:
    section = "Code, settings and seeds"

    def item(number: str, question: str, said: tuple[Answer, str], link: str | None = None) -> Item:
        return Item(number=number, section=section, question=question, answer=said[0], evidence=said[1], link=link)

    row = f"/v1/searches/{facts.id}/provenance"
    version = facts.result.get("code_version")
    ran: tuple[Answer, str] = (
        ("yes", f"version {version} of this service's code, which is open")
        if version
        else ("cannot be known", "the version of the code is written with the result, and there is none yet")
    )
    theirs = f"the numbers are a table's: {facts.table or 'results in the catalogue'}; its authors have the code"
    yield item(
        "1a",
        "Is the code there that trains and judges the final architectures?",
        _by_training(facts, trained=ran, tabulated=("cannot be known", theirs)),
    )
    yield item("1b", "Is the code of the search method there?", ran)
    yield item(
        "1c",
        "Are the settings and seeds of that training there?",
        _recipe(facts.request),
        row,
    )
    yield item("1d", "Are the settings and the seed of the search there?", ("yes", _settings(facts.request)), row)


def _by_training(facts: Facts, *, trained: tuple[Answer, str], tabulated: tuple[Answer, str]) -> tuple[Answer, str]:
    match facts.request:
        case DiscreteSearchRequest(evaluator=CatalogueEvaluator()):
            return tabulated
        case DiscreteSearchRequest(evaluator=ProxyEvaluator()):
            return _NO_TRAINING
        case _:
            return trained


def _recipe(request: SearchRequest | DiscreteSearchRequest) -> tuple[Answer, str]:
    match request:
        case SearchRequest(retrain_recipe=recipe, seed=seed):
            seeds = str(seed)
        case DiscreteSearchRequest(evaluator=TrainingEvaluator(recipe=recipe) as evaluator):
            seeds = ", ".join(map(str, evaluator.seeds))
            if "fidelities" in DISCRETE_STRATEGIES[request.strategy].needs:
                seeds += "; the strategy decides its epochs, and the trajectory has them"
        case DiscreteSearchRequest(evaluator=InheritedEvaluator(learnt=recipe), seed=seed):
            seeds = str(seed)
        case DiscreteSearchRequest(evaluator=CatalogueEvaluator(recipe_name=name, recipe_digest=digest)):
            evidence = f"of recipe {name!r} the catalogue has what came with the results, by digest {digest[:12]}"
            return "cannot be known", evidence
        case _:
            return _NO_TRAINING
    return "yes", f"every field of recipe {recipe.name!r} (digest {recipe_digest(recipe)[:12]}), seed {seeds}"


def _settings(request: SearchRequest | DiscreteSearchRequest) -> str:
    if isinstance(request, SearchRequest):
        digest = recipe_digest(request.recipe)[:12]
        return (
            f"{request.strategy}, every field of recipe {request.recipe.name!r} (digest {digest}), seed {request.seed}"
        )
    parameters = ", ".join(f"{name} {value}" for name, value in request.parameters.items()) or "no parameters"
    return f"{request.strategy} with {parameters}; budget {request.budget}, batch {request.batch}, seed {request.seed}"


# -- 2: comparison


def _comparison(facts: Facts) -> Iterator[Item]:
    section = "Comparison with other methods"
    best = max(facts.comparisons, key=lambda one: (len(one.request.seeds), len(one.request.strategies)), default=None)
    link = None if best is None else f"/v1/comparisons/{best.id}"

    def item(number: str, question: str, said: tuple[Answer, str], at: str | None = link) -> Item:
        return Item(number=number, section=section, question=question, answer=said[0], evidence=said[1], link=at)

    alone = "no finished comparison on the same footing is in the catalogue; POST /v1/comparisons makes one"
    supernet = isinstance(facts.request, SearchRequest)
    if supernet:
        alone = "supernet searches are compared with a random genotype alone, by the report"
    labels = [] if best is None else [one.label for one in best.request.strategies]

    def by_comparison(evidence: str) -> tuple[Answer, str]:
        return ("not applicable", alone) if best is None else ("yes", evidence)

    yield item(
        "2a",
        "Were all methods judged on the same space, data, split, training code and settings?",
        by_comparison(f"{', '.join(labels)}: a comparison refuses whatever differs in these, by digest"),
    )
    yield item(
        "2b",
        "Were hardware, library versions and the like the same for all methods?",
        _confounding(facts, by_comparison("one job ran all methods, by one version of the code")),
    )
    yield item("2c", "Were parts of the method left out or changed, to see what they do?", _ablation(facts, best))
    yield item(
        "2d",
        "Were all methods judged by the same protocol?",
        by_comparison(
            "the same evaluator, budget, batch, bounds and objectives for all; results count at one fidelity"
        ),
    )
    report = f"/v1/searches/{facts.id}/report"
    over_time: tuple[Answer, str] = (
        ("yes", "the comparison has the best value after every evaluation, over all seeds")
        if best is not None
        else ("no", "the search has its own curve, and none beside it")
        if facts.result.get("report")
        else ("cannot be known", "the search has no report")
    )
    yield item("2e", "Were methods compared over time, not only at the end?", over_time, link or report)
    yield item("2f", "Was it compared with random search?", *_random(facts, best, report))
    yield item("2g", "Were there several runs, and are their seeds there?", _runs(facts, best))
    yield item("2h", "Was a tabular or surrogate benchmark used to look closer?", _benchmark(facts), None)


def _confounding(facts: Facts, compared: tuple[Answer, str]) -> tuple[Answer, str]:
    if isinstance(facts.request, DiscreteSearchRequest) and isinstance(facts.request.evaluator, CatalogueEvaluator):
        return "yes", "values are looked up: no hardware or library can move them"
    return compared


def _ablation(facts: Facts, best: Compared | None) -> tuple[Answer, str]:
    if best is None or isinstance(facts.request, SearchRequest):
        return "cannot be known", "the records of one search do not say what was tried beside it"
    variants = [one.label for one in best.request.strategies if one.strategy == facts.request.strategy]
    if len(variants) > 1:
        return "yes", f"the comparison has {facts.request.strategy} with other parameters: {', '.join(variants)}"
    return "no", f"the comparison has {facts.request.strategy} with one set of parameters"


def _random(facts: Facts, best: Compared | None, report: str) -> tuple[tuple[Answer, str], str | None]:
    if isinstance(facts.request, SearchRequest):
        if not facts.request.baseline:
            return ("no", "the search was asked to train no random genotype"), None
        return ("yes", "a uniformly random genotype is trained under the same recipe; one is no search"), report
    if best is not None and any(one.strategy == "random" for one in best.request.strategies):
        return ("yes", "random search is among the strategies"), f"/v1/comparisons/{best.id}"
    if facts.request.strategy == "random":
        return ("not applicable", "the search is random search"), None
    return ("no", "no finished comparison on the same footing has random search"), None


def _runs(facts: Facts, best: Compared | None) -> tuple[Answer, str]:
    inside = [] if best is None else list(best.request.seeds)
    seeds = max((inside, sorted(facts.seeds)), key=len)
    shown = ", ".join(map(str, seeds[:10])) + (", …" if len(seeds) > 10 else "")
    if len(seeds) > 1:
        return "yes", f"{len(seeds)} runs that differ in nothing but the seed: {shown}"
    return "no", f"one run is in the catalogue{f', of seed {shown}' if seeds else ''}"


def _benchmark(facts: Facts) -> tuple[Answer, str]:
    request = facts.request
    if isinstance(request, DiscreteSearchRequest) and isinstance(request.evaluator, CatalogueEvaluator):
        judged = _judged(facts)
        count = f"{judged['results']} results" if "results" in judged else "the catalogue's results"
        return "yes", f"{count} on {request.evaluator.dataset}, {facts.table or 'measured by this service'}"
    return "no", "members were measured, not looked up"


# -- 3: report


def _report(facts: Facts) -> Iterator[Item]:
    section = "What is reported"
    row = f"/v1/searches/{facts.id}/provenance"
    answer, evidence = _tuning(facts.request)
    yield Item(
        number="3a",
        section=section,
        question="Is it told how the method's settings were tuned, and what that took?",
        answer=answer,
        evidence=evidence,
    )
    seconds = facts.result.get("seconds")
    hours = _told(facts).get("gpu_hours")
    spent = "" if hours is None else f", {hours:.4g} GPU hours"
    yield Item(
        number="3b",
        section=section,
        question="Is the time of the whole method told, not of the search phase alone?",
        answer="cannot be known" if seconds is None else "yes",
        evidence="there is no result yet"
        if seconds is None
        else f"{seconds:.4g} s from start to end, all attempts together{spent}",
        link=None if seconds is None else row,
    )
    yield Item(
        number="3c",
        section=section,
        question="Are all details of the setup told?",
        answer="yes" if facts.state == "succeeded" else "no",
        evidence="space, skeleton, strategy, evaluator, data, seeds, code and device, in one row"
        if facts.state == "succeeded"
        else f"the search is {facts.state}: device and versions come with its result",
        link=row,
    )


def _tuning(request: SearchRequest | DiscreteSearchRequest) -> tuple[Answer, str]:
    if isinstance(request, SearchRequest):
        return "cannot be known", "the records do not say how the recipe was come by"
    declared = DISCRETE_STRATEGIES[request.strategy]
    defaults = declared.completed({})
    if not defaults:
        return "not applicable", "the strategy has no settings"
    if dict(request.parameters) == defaults:
        return "not applicable", "every setting has its default; GET /v1/strategies has them"
    changed = ", ".join(f"{name} {value}" for name, value in request.parameters.items() if defaults[name] != value)
    return "cannot be known", f"not the defaults: {changed}; the records do not say how they were come by"


# -- what this service knows besides


def _service(facts: Facts) -> Iterator[Item]:
    section = "What this service knows besides"
    request = facts.request
    oracle = isinstance(request, DiscreteSearchRequest) and request.oracle

    def item(number: str, question: str, said: tuple[Answer, str], link: str | None = None) -> Item:
        return Item(number=number, section=section, question=question, answer=said[0], evidence=said[1], link=link)

    yield item(
        "s1",
        "Was the test split kept out of every decision?",
        ("no", ORACLE) if oracle else ("yes", _split(request)),
    )
    yield item("s2", "Is it certain which version of the data decided?", _data(facts))
    yield item("s3", "Did a run from the record alone come to exactly the same?", *_replayed(facts))
    failed = _told(facts).get("failed")
    yield item(
        "s4",
        "Are evaluations that failed told, and counted in the budget?",
        ("not applicable", "a supernet search has no evaluations of members")
        if isinstance(request, SearchRequest)
        else ("cannot be known", "the search has no report yet")
        if failed is None
        else ("yes", f"{failed} of {_told(facts)['evaluations']} failed, each with its reason"),
        None if failed is None else f"/v1/searches/{facts.id}/trajectory",
    )
    if isinstance(request, DiscreteSearchRequest) and isinstance(request.evaluator, InheritedEvaluator):
        yield item(
            "s5", "Is it known whether shared weights order members as trainings of their own do?", _sharing(facts)
        )


def _sharing(facts: Facts) -> tuple[Answer, str]:
    sharing: Mapping[str, Any] = _told(facts).get("sharing") or {}
    tau: Mapping[str, Any] = sharing.get("kendall") or {}
    if tau.get("coefficient") is None:
        return "no", "no check of members trained from scratch was asked for, or it came to no order"
    return (
        "yes",
        f"Kendall's tau {tau['coefficient']:.2f} over {tau['n']} members, 95 %: {tau['low']:.2f} to {tau['high']:.2f}",
    )


def _split(request: SearchRequest | DiscreteSearchRequest) -> str:
    match request:
        case SearchRequest():
            return "decided by the split 'architecture'; test is read once, when all is decided"
        case DiscreteSearchRequest(evaluator=CatalogueEvaluator(split=split)):
            return f"decided by results on the split {split!r}"
        case DiscreteSearchRequest(evaluator=TrainingEvaluator()):
            return "decided by the split 'selection'; every training measures test as well, and no decision reads it"
        case DiscreteSearchRequest(evaluator=InheritedEvaluator()):
            return "decided by the split 'selection'; test is not read"
        case DiscreteSearchRequest():
            return "decided by proxies on training images; test is not read"


def _data(facts: Facts) -> tuple[Answer, str]:
    asked = facts.request if isinstance(facts.request, SearchRequest) else facts.request.evaluator
    if isinstance(asked, CatalogueEvaluator):
        digest = _judged(facts).get("results_digest")
        if digest is None:
            return "cannot be known", "the digest of the results comes with the report"
        return "yes", f"SHA-256 of all results that it saw: {digest}"
    if asked.data is None or asked.data.stored is None:
        return "yes", f"{asked.dataset} is built in: its files and its division are part of the code"
    return "yes", f"SHA-256 of {asked.dataset}: {asked.data.stored.digest}"


def _judged(facts: Facts) -> Mapping[str, Any]:
    return _told(facts).get("judged_by") or {}


def _told(facts: Facts) -> Mapping[str, Any]:
    """The report of the search; empty where there is none yet."""
    return facts.result.get("report") or {}


def _replayed(facts: Facts) -> tuple[tuple[Answer, str], str | None]:
    said: Mapping[bool | None, tuple[Answer, str]] = {
        False: ("no", "a replay under the same conditions came to something else"),
        True: ("yes", "a replay came to exactly the same"),
        None: ("cannot be known", "a replay differs, under other conditions: device, versions or results"),
    }
    for identical, answer in said.items():
        for replay in facts.replays:
            if replay.identical is identical:
                return answer, f"/v1/searches/{replay.id}/replay"
    return ("cannot be known", f"nobody has tried: POST /v1/searches/{facts.id}/replay does"), None
