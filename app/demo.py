"""The main job from end to end, over HTTP against a running service, as any client would do it.

Sizes, a broken genotype and its repair, a supernet search with live progress, the discrete architecture and its
training, the discretisation report, the catalogue. Every step checks what it is told; the first that is not as
promised raises `DemoFailed`.
"""

import copy
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast

import httpx
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

Json = dict[str, Any]

DATASET = "digits"
PROMISED_PERCENT = 95.0
"""Test accuracy of the retrained architecture below which the demo has failed."""

PHASES = {
    "search": "search the supernet",
    "calibrate": "discretise, recalibrate",
    "retrain": "train the discrete network",
    "baseline": "train a random genotype",
}


class DemoFailed(Exception):
    """A step did not do what it promises; the message says which and how."""


def run(url: str, console: Console) -> None:
    """Run every step against the service at `url`, telling `console`.

    Raises:
        DemoFailed: a step failed, or the service did not answer.
    """
    started = time.monotonic()
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            steps = Demo(client, console)
            steps.sizes()
            steps.validity()
            search = steps.search()
            steps.training(search)
            steps.report(search)
            steps.catalogue(search)
    except httpx.HTTPError as error:
        raise DemoFailed(f"the service at {url} did not answer: {error!r}") from error
    console.print(f"\nEverything above came over HTTP, in {time.monotonic() - started:.0f} s.")


class Demo:
    """The steps, in the order of the story."""

    def __init__(self, client: httpx.Client, console: Console) -> None:
        self.client = client
        self.console = console

    def ask(self, method: str, path: str, *, expect: int = 200, **options: Any) -> Any:
        """The JSON (or text) that the service answers, if it answers with the expected status."""
        response = self.client.request(method, path, **options)
        if response.status_code != expect:
            raise DemoFailed(
                f"{method} {path} answered {response.status_code}, expected {expect}: {response.text[:500]}"
            )
        return response.json() if "json" in response.headers.get("content-type", "") else response.text

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def sizes(self) -> None:
        """How big are the spaces: exact counts, raw and up to a named equivalence."""
        self.title("1. How many architectures are there?")
        table = Table("space", "counted", "genotypes", "≈", box=box.SIMPLE)
        for name in ("simple_cell", "darts"):
            size = self.ask("GET", f"/v1/spaces/{name}/size")
            table.add_row(name, "raw", f"{int(size['raw']['exact']):,}", f"10^{size['raw']['log10']:.2f}")
            for unique in size["unique"]:
                table.add_row("", unique["equivalence"], f"{int(unique['exact']):,}", f"10^{unique['log10']:.2f}")
        self.console.print(table)

    def validity(self) -> None:
        """A member has a rank; a broken genotype has every fault named, and a repair."""
        self.title("2. Is this genotype valid?")
        drawn = self.ask("POST", "/v1/spaces/darts/sample", json={"count": 1, "seed": 2026})["items"][0]
        answer = self.ask("POST", "/v1/spaces/darts/validate", json={"genotype": drawn["genotype"]})
        if not answer["valid"] or answer["index"] != drawn["index"]:
            raise DemoFailed(f"a sampled genotype was not found valid at its index {drawn['index']}: {answer}")
        self.console.print(f"A random genotype: valid, number {int(answer['index']):,} of the space.")

        broken = copy.deepcopy(drawn["genotype"])
        broken["normal"]["node2"][0]["op"] = "conv_9x9"
        broken["normal"]["node3"][1] = dict(broken["normal"]["node3"][0])
        broken["reduce"]["node4"][0]["input"] = 7
        del broken["reduce"]["node5"]
        answer = self.ask("POST", "/v1/spaces/darts/validate", json={"genotype": broken})
        table = Table("place", "what is wrong", "allowed", box=box.SIMPLE)
        for fault in answer["errors"]:
            table.add_row(fault["pointer"], fault["message"], ", ".join(map(str, fault["allowed"] or ())))
        self.console.print("The same one, broken in four places:")
        self.console.print(table)
        if answer["valid"] or len(answer["errors"]) < 4:
            raise DemoFailed(f"four faults were made and {len(answer['errors'])} were named")
        repaired = self.ask("POST", "/v1/spaces/darts/validate", json={"genotype": answer["repair"]})
        if not repaired["valid"]:
            raise DemoFailed(f"the repair is not valid: {repaired['errors']}")
        self.console.print(f"Nearest valid repair: number {int(repaired['index']):,}.")

    def search(self) -> Json:
        """A first-order DARTS search on real images, watched while it runs."""
        self.title("3. Search: first-order DARTS on 8×8 digits")
        job = self.ask("POST", "/v1/searches", expect=202, json={"space": "darts", "dataset": DATASET, "seed": 0})
        request = job["request"]
        skeleton, recipe = request["skeleton"], request["recipe"]
        self.console.print(
            f"Job {job['id']}: supernet of {skeleton['num_cells']} cells and {skeleton['channels']} channels, "
            f"recipe {recipe['name']} ({recipe['epochs']} epochs).\n"
        )
        self.watch(job)
        found = self.ask("GET", f"/v1/searches/{job['id']}")
        self.console.print("\nThe discretised genotype:\n")
        text = self.ask("POST", "/v1/spaces/darts/draw", json={"genotype": found["genotype"], "form": "text"})
        self.console.print(text, markup=False, highlight=False)
        skeleton = request["retrain_skeleton"]
        question = {
            "genotype": found["genotype"],
            "skeleton": skeleton,
            "input": {"channels": 1, "height": 8, "width": 8},
        }
        cost = self.ask("POST", "/v1/spaces/darts/cost", json={**question, "by_node": False})
        self.console.print(
            f"On {skeleton['num_cells']} cells and {skeleton['channels']} channels: "
            f"{cost['params']:,} params, {cost['macs']:,} MACs an image."
        )
        return {**found, "request": request}

    def watch(self, job: Json) -> None:
        """Draw a job's events as progress bars until it is final.

        Raises:
            DemoFailed: it did not succeed.
        """
        columns = (TextColumn("{task.description:<27}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        state = "queued"
        with Progress(*columns, TextColumn("{task.fields[metrics]}"), console=self.console) as progress:
            bars: dict[str, TaskID] = {}
            for kind, data in self.events(job["id"]):
                match kind:
                    case "state":
                        state = data["state"]
                    case "note":
                        progress.console.print(data["text"], markup=False)
                    case "progress":
                        self.advance(progress, bars, data)
                    case _:
                        pass
        if state != "succeeded":
            final = self.ask("GET", f"/v1/jobs/{job['id']}")
            raise DemoFailed(f"job {job['id']} is {final['state']}: {final['error']}")

    def advance(self, progress: Progress, bars: dict[str, TaskID], data: Json) -> None:
        """Move the bar of an event's phase."""
        phase, epochs = str(data["phase"]), data["epochs"]
        if phase not in bars:
            for bar in bars.values():
                progress.stop_task(bar)
            bars[phase] = progress.add_task(PHASES.get(phase, phase), total=epochs, metrics="")
        # `epoch` counts the finished ones; a step moves the bar by its part of the next.
        done = data["epoch"] + (data["step"] / data["steps"] if data["step"] is not None else 0)
        shown = "  ".join(
            f"{k} {v:.2f}" for k, v in cast("dict[str, float]", data["metrics"]).items() if "accuracy" in k
        )
        progress.update(bars[phase], completed=done)
        if shown:
            progress.update(bars[phase], metrics=shown)

    def events(self, job_id: str) -> Iterator[tuple[str, Json]]:
        """A job's events until it is final; a cut stream is resumed after the last event that was seen."""
        last = "0"
        for _ in range(20):
            try:
                headers = {"Last-Event-ID": last}
                with self.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=60) as stream:
                    event: dict[str, str] = {}
                    for line in stream.iter_lines():
                        if line:
                            name, _, value = line.partition(":")
                            event[name] = value.removeprefix(" ")
                        elif "data" in event:
                            last = event.get("id", last)
                            yield event.get("event", "message"), json.loads(event["data"])
                            event = {}
            except httpx.TransportError:
                pass
            if self.ask("GET", f"/v1/jobs/{job_id}")["state"] in ("succeeded", "failed", "cancelled"):
                return
            time.sleep(0.5)
        raise DemoFailed(f"the event stream of job {job_id} was cut twenty times")

    def training(self, search: Json) -> None:
        """What has been measured once is answered from the catalogue; another seed is a new training."""
        self.title("4. Train the discrete architecture from scratch")
        request = search["request"]
        body = {
            "space": "darts",
            "genotype": search["genotype"],
            "dataset": DATASET,
            "skeleton": request["retrain_skeleton"],
            "recipe": request["retrain_recipe"],
        }
        stored = self.ask("POST", "/v1/trainings", json={**body, "seed": request["seed"]})
        self.console.print(
            f"Seed {request['seed']}: measured by the search already, answered at once: "
            f"{stored['accuracy']:.2f} % on {stored['split']}."
        )
        response = self.client.post("/v1/trainings", json={**body, "seed": 1})
        if response.status_code == 202:
            self.console.print("Seed 1: not measured yet, a training of its own.\n")
            self.watch(response.json())
        stored = self.ask("POST", "/v1/trainings", json={**body, "seed": 1})
        self.console.print(f"Seed 1: {stored['accuracy']:.2f} % on {stored['split']}.")

    def report(self, search: Json) -> None:
        """What discretising cost, and whether the search beat chance."""
        self.title("5. The discretisation report")
        report = self.ask("GET", f"/v1/searches/{search['id']}/report")["report"]
        table = Table("network", "split", "images", "accuracy", box=box.SIMPLE)
        rows = [
            ("supernet", report["supernet"]),
            ("discretised, inherited weights", report["inherited"]),
            *(("retrained from scratch", report["retrained"][split]) for split in ("selection", "test")),
            *(("random genotype, same recipe", report["baseline"][split]) for split in ("selection", "test")),
        ]
        for name, row in rows:
            table.add_row(name, row["split"], str(row["images"]), f"{row['percent']:.2f} %")
        self.console.print(table)
        self.console.print(
            f"Gap of discretising: {report['gap_inherited']:+.2f} points with inherited weights, "
            f"{report['gap_retrained']:+.2f} after retraining.\n"
            f"Mean entropy of the decisions {report['mean_entropy']:.3f} nats; "
            f"share of skips {report['skip_share']:.0%}, "
            f"alarm above {report['collapse_threshold']:.0%}: {'collapsed' if report['collapsed'] else 'no collapse'}."
        )
        for note in report["notes"]:
            self.console.print(f"· {note}", markup=False)
        if (percent := report["retrained"]["test"]["percent"]) < PROMISED_PERCENT:
            raise DemoFailed(f"the retrained architecture has {percent:.2f} % on test, promised {PROMISED_PERCENT} %")

    def catalogue(self, search: Json) -> None:
        """What the catalogue holds now, and where to look on."""
        self.title("6. The catalogue")
        recipe = search["request"]["retrain_recipe"]["name"]
        query: Mapping[str, Any] = {
            "space": "darts", "dataset": DATASET, "recipe": recipe, "split": "test", "sort": "-accuracy", "limit": 8,
        }  # fmt: skip
        page = self.ask("GET", "/v1/evaluations", params=query)
        table = Table("architecture", "kind", "seed", "accuracy on test", "params", "MACs", "device", box=box.SIMPLE)
        for row in page["items"]:
            table.add_row(
                row["architecture_id"][:8], row["kind"], str(row["seed"]), f"{row['accuracy']:.2f} %",
                f"{row['params']:,}", f"{row['macs']:,}", row["device"],
            )  # fmt: skip
        self.console.print(f"Recipe {recipe} on {DATASET}, best first:")
        self.console.print(table)
        if not page["items"]:
            raise DemoFailed("the catalogue holds no evaluation of the search")
        best = page["items"][0]["architecture_id"]
        drawing = self.ask("GET", f"/v1/architectures/{best}.svg")
        if "<svg" not in drawing:
            raise DemoFailed(f"the drawing of {best} is not SVG")
        root = str(self.client.base_url).rstrip("/")
        self.console.print(f"Drawing   {root}/v1/architectures/{best}.svg", soft_wrap=True)
        self.console.print(f"API docs  {root}/docs", soft_wrap=True)
