"""The containers of docker-compose.yml as processes of this machine: their commands, their environment, their health
checks, their stop signals and, where root runs the tests, their read-only file system and their missing rights.

What differs is named here: hosts and ports of the engines, the port of the API, and where the programs lie.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import make_url

from app.catalogue import Database, jobs
from app.embedded import Engines, locate, wait_until
from app.jobs import submit
from app.listener import listen
from app.space import space_to_json
from app.space.zoo import simple_cell
from tests.acceptance.faults.proxy import FaultProxy
from tests.containers import (
    OURS,
    REPOSITORY,
    SERVICES,
    command,
    environment,
    made_of,
    seconds,
    writable,
)

HANDLERS = Path(__file__).parent / "handlers"
DATA_ROOT, SECRETS = "/var/lib/cellar", "/run/secrets"

# A mount namespace of its own: what the service declares can be written to, and nothing else; no capabilities, and no
# way to get any. Root stays root, because the interpreter may lie in its home.
CONTAINED = """
mount -t tmpfs tmpfs /var/lib && mkdir {root} && mount --bind {data} {root}
mount -t tmpfs tmpfs /run && mkdir {secrets} && cp {given}/* {secrets}
mount --bind /tmp /tmp
for point in $(cut -d' ' -f2 /proc/self/mounts); do
    case $point in /tmp*|{root}|/proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$point" || exit 1 ;; esac
done
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def can_contain() -> bool:
    tried = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && setpriv --bounding-set=-all true"]
    try:
        return os.geteuid() == 0 and subprocess.run(tried, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def free_port() -> int:
    with listen("127.0.0.1", 0, allow_open=False) as probe:
        return probe.getsockname()[1]


class Host:
    """What stands in for a container engine."""

    def __init__(self, directory: Path, postgres_port: int, password: str, programs: Callable[[str], Path]) -> None:
        self.directory = directory
        self.data, self.secrets = directory / "data", directory / "secrets"
        self.data.mkdir()
        self.secrets.mkdir(mode=0o700)
        (self.secrets / "postgres_password").write_text(f"{password}\n")
        self.ports = {"postgres": postgres_port, "valkey": free_port(), "api": free_port()}
        self.programs = programs  # the directory of those of a service
        self.contains = can_contain()
        self.started: list[subprocess.Popen[bytes]] = []

    def placed(self, text: str) -> str:
        """With this machine's places for those of the containers."""
        theirs = {"postgres": "postgres:5432", "valkey": "valkey:6379", "api": "127.0.0.1:8000"}
        places = {theirs[name]: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        if not self.contains:
            places |= {DATA_ROOT: str(self.data), SECRETS: str(self.secrets)}
        for there, here in places.items():
            text = text.replace(there, here)
        return text

    def environment(self, service: str, **more: str) -> dict[str, str]:
        """That of a container, and nothing that this process has."""
        found = {name: self.placed(value) for name, value in environment(service).items()}
        if "CELLAR_PORT" in found:
            found["CELLAR_PORT"] = str(self.ports["api"])
        if service in ("postgres", "valkey"):  # clients in these containers find the server in its usual place
            found |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports["postgres"])}
        path = f"{self.programs(service)}:{os.defpath}"
        return {**found, "PATH": path, "HOME": found.get("CELLAR_DATA_ROOT", "/"), "OMP_NUM_THREADS": "1", **more}

    def start(self, service: str, words: list[str] | None = None, **more: str) -> "subprocess.Popen[bytes]":
        """A container of a service with its command, or with another."""
        given = self.environment(service, **more)
        # Found as execvp would find it in the container, whose PATH is not that of this process.
        program, *rest = [self.placed(word) for word in words or command(service)]
        wanted = [shutil.which(program, path=given["PATH"]) or program, *rest]
        if self.contains and service in OURS:
            assert set(writable(service)) <= {DATA_ROOT, "/tmp"}, "declare it to CONTAINED too"
            places = {"root": DATA_ROOT, "secrets": SECRETS, "data": self.data, "given": self.secrets}
            wanted = ["unshare", "--mount", "sh", "-c", CONTAINED.format(**places), "sh", *wanted]
        with self.log(service).open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    wanted, env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
                )
            )
        return self.started[-1]

    def log(self, service: str) -> Path:
        return self.directory / f"{service}.log"

    def said(self, service: str) -> str:
        return self.log(service).read_text()

    def run(self, service: str, words: list[str] | None = None) -> int:
        """Its exit status."""
        return self.start(service, words).wait(60)

    def healthy(self, service: str) -> bool:
        """Whether the health check says so, as it is written."""
        check = SERVICES[service]["healthcheck"]
        kind, *words = check["test"]
        assert kind == "CMD"
        try:
            return self.start(service, words).wait(seconds(check["timeout"]) * 3) == 0
        except subprocess.TimeoutExpired:
            return False

    def becomes_healthy(self, service: str) -> None:
        period = 2 * seconds(SERVICES[service]["healthcheck"]["start_period"])  # this machine runs other tests too
        assert wait_until(lambda: self.healthy(service), period, pause=0.5), self.said(service)

    def stop(self, service: str, process: "subprocess.Popen[bytes]") -> int:
        """Stop it as Docker does; its exit status. It has to end by itself within the time that it is given."""
        process.terminate()
        return process.wait(seconds(SERVICES[service]["stop_grace_period"]))

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def engines_of_compose(open_directory: Path) -> Iterator[tuple[int, Engines]]:
    """PostgreSQL with the role and the empty database that its service makes, at a port of this machine."""
    with Engines(open_directory / "engines", command="pytest", durable=False) as engines:
        socket = Path(str(make_url(engines.database_url).query["host"])) / ".s.PGSQL.5432"
        with FaultProxy(socket) as proxy:
            yield proxy.port, engines


def programs_here(service: str) -> Path:
    """The directory of the programs of a service in this environment."""
    found = locate()
    return {"postgres": found.postgres, "valkey": found.valkey.parent}.get(service, Path(sys.executable).parent)


def build(stage: str, directory: Path) -> Path:
    """Do here what the Dockerfile does for a stage, on the interpreter that runs the tests; the `bin` of its result."""
    workdir, result = directory / "build", directory / "opt"
    environment = {**os.environ, "PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"}
    for word, arguments in made_of(stage):
        match word:
            case "WORKDIR":
                workdir.mkdir()
            case "ENV":
                for name, _, value in (pair.partition("=") for pair in arguments.split()):
                    value = value.replace("/opt/cellar", str(result)).replace("$PATH", environment["PATH"])
                    environment[name] = value
            case "COPY":
                *sources, target = arguments.split()
                for source in sources:
                    at, to = REPOSITORY / source, workdir / target
                    if at.is_dir():
                        shutil.copytree(at, to, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
                    else:
                        (to if target.endswith("/") else to.parent).mkdir(parents=True, exist_ok=True)
                        shutil.copy(at, to)
            case "RUN":
                done = subprocess.run(
                    ["sh", "-c", arguments.replace("/opt/cellar", str(result))],
                    cwd=workdir,
                    env=environment,
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, f"{arguments}\n{done.stderr}"
    return result / "bin"


@pytest.fixture(params=["here", pytest.param("as built", marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Path]:
    """The programs of this environment; or those of the API's image as the Dockerfile makes it."""
    if request.param == "here":
        return programs_here
    made = build("build-api", tmp_path)
    installed = subprocess.run([made / "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True)
    names = {line.partition("==")[0].lower() for line in installed.stdout.splitlines()}
    assert {"cellar", "fastapi", "psycopg", "s3fs"} <= names
    assert not [name for name in names if name.startswith(("torch", "nvidia", "triton", "embedded", "pytest"))]
    subprocess.run([made / "pip", "check"], check=True)
    refused = subprocess.run([made / "cellar", "worker"], capture_output=True, text=True, cwd="/")
    assert (refused.returncode, "pip install 'cellar[worker]'" in refused.stderr) == (1, True)
    ours = {name for name in OURS if SERVICES[name]["build"]["target"] == "api"}
    return lambda service: made if service in ours else programs_here(service)


@pytest.fixture
def host(
    engines_of_compose: tuple[int, Engines], open_directory: Path, programs: Callable[[str], Path]
) -> Iterator[Host]:
    port, engines = engines_of_compose
    made = Host(open_directory, port, str(make_url(engines.database_url).password), programs)
    words = [*SERVICES["valkey"]["command"], "--port", str(made.ports["valkey"]), "--dir", str(open_directory)]
    made.start("valkey", words)
    yield made
    made.end()


def key_of(host: Host) -> str:
    """Made as the first comment of the file says."""
    written = (REPOSITORY / "docker-compose.yml").read_text()
    words = re.search(r"docker compose run --rm api (keys add .*)", written)
    assert words is not None
    assert host.run("api", ["cellar", *words[1].split()]) == 0, host.said("api")
    return host.said("api").split()[-1]


def test_a_day_of_the_containers(host: Host, engines_of_compose: tuple[int, Engines]) -> None:
    url = f"http://127.0.0.1:{host.ports['api']}"
    assert host.healthy("postgres"), host.said("postgres")
    assert host.run("migrate") == 0, host.said("migrate")
    assert "up to date" in host.said("migrate")
    assert host.run("api") == 1, "nobody could come in"
    assert "a key is asked for on 0.0.0.0, and there is none" in host.said("api")
    token = key_of(host)

    assert not host.healthy("api")
    api = host.start("api")
    host.becomes_healthy("api")
    assert httpx.get(f"{url}/v1/spaces").status_code == 401
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        assert client.get("/v1/spaces/darts/size").json()["raw"]["log10"] > 18
        assert client.get("/v1/spaces/darts/members/42/cost", params={"skeleton": "cifar"}).json()["params"] == 1370134
        assert client.get("/v1/spaces/darts/members/42/svg").text.startswith("<svg")
        tally = {"CELLAR_EXTRA_KINDS": json.dumps({"tally": "lifecycle_handlers:count"}), "PYTHONPATH": str(HANDLERS)}
        worker = host.start("worker-cpu", **tally)
        host.becomes_healthy("worker-cpu")
        document = space_to_json(simple_cell(6)) | {"name": "six"}
        assert client.post("/v1/spaces", json=document).status_code == 201
        asked = client.post("/v1/spaces/six/count", json={"equivalence": "relabelling"})
        assert asked.status_code == 202, asked.text
        job = asked.headers["Location"]
        assert wait_until(lambda: client.get(job).json()["state"] == "succeeded", 60, pause=0.2), host.said(
            "worker-cpu"
        )

        # A worker that is stopped in the middle of a job gives it back, and the next one goes on from its checkpoint.
        database = Database(engines_of_compose[1].database_url, pool_size=1)
        with database.transaction() as session:
            steps = {"epochs": 12, "steps": 2, "seconds": 0.1}
            long = submit(session, kind="tally", request=steps, queue="cpu", owner="ada").job.id

        def epochs() -> int:
            with database.transaction() as session:
                found = jobs.get(session, long)
            assert found is not None
            return 0 if found.progress is None else found.progress["epoch"]

        assert wait_until(lambda: epochs() >= 2, 30, pause=0.1), host.said("worker-cpu")
        assert host.stop("worker-cpu", worker) == 0, host.said("worker-cpu")
        state = client.get(f"/v1/jobs/{long}").json()
        assert (state["state"], state["attempt"]) == ("queued", 0), "which is no failed attempt"
        database.dispose()

        worker = host.start("worker-cpu", **tally)
        assert wait_until(lambda: client.get(f"/v1/jobs/{long}").json()["state"] == "succeeded", 60, pause=0.2)
        result = client.get(f"/v1/jobs/{long}").json()["result"]
        assert result["total"] == 24, "no step is lost or done twice"
        assert host.stop("worker-cpu", worker) == 0
        assert host.stop("api", api) == 0, host.said("api")
    assert "Read-only file system" not in "".join(host.said(name) for name in ("api", "worker-cpu", "migrate"))


@pytest.mark.slow
@pytest.mark.parametrize("programs", ["here"], indirect=True)
def test_an_upload_a_search_and_its_files_need_no_other_place(host: Host) -> None:
    """What torch, a data set and kept weights write goes to the volume and to /tmp."""
    assert host.run("migrate") == 0, host.said("migrate")
    token = key_of(host)
    host.start("api")
    host.start("worker-cpu")
    host.becomes_healthy("api")
    key = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{host.ports['api']}", headers=key, timeout=60) as client:

        def succeeds(answer: httpx.Response) -> str:
            assert answer.status_code == 202, answer.text
            job = answer.headers["Location"]
            ended = wait_until(lambda: client.get(job).json()["finished_at"] is not None, 240, pause=0.5)
            assert ended, host.said("worker-cpu")
            assert client.get(job).json()["state"] == "succeeded", client.get(job).text
            return job

        file = io.BytesIO()
        labels = np.arange(400) % 4
        np.savez(file, x=(labels[:, None, None] * 60 + np.zeros((400, 8, 8))).astype(np.uint8), y=labels)
        content = {"content": file.getvalue(), "headers": {"Content-Type": "application/x-npz"}}
        succeeds(client.post("/v1/datasets", params={"name": "mine"}, **content))
        one = {"recipe": {"epochs": 1}, "retrain_recipe": {"epochs": 1}, "baseline": False}
        space = {"space": "nasbench201", "dataset": "mine", "skeleton": "small", "retrain_skeleton": "small"}
        search = succeeds(client.post("/v1/searches", json=space | one))
        found = client.get(f"/v1/evaluations?job={search.rpartition('/')[2]}").json()["items"]
        assert found
    assert list((host.data / "images").glob("*.safetensors"))
    assert [file for file in (host.data / "objects").rglob("*") if file.is_file()]
    assert "Read-only file system" not in host.said("api") + host.said("worker-cpu")


def test_containment_contains(open_directory: Path) -> None:
    """That the day above passes means something only if this fails what it should."""
    host = Host(open_directory, 1, "correct-horse", programs_here)
    if not host.contains:
        pytest.skip("only root can make a mount namespace")
    script = f"touch {DATA_ROOT}/kept && cat {SECRETS}/postgres_password && touch /etc/lost"
    assert host.run("migrate", ["sh", "-c", script]) != 0
    assert (host.data / "kept").exists()
    assert "correct-horse" in host.said("migrate")
    assert "'/etc/lost': Read-only file system" in host.said("migrate")
    assert host.run("migrate", ["sh", "-c", "mount -o remount,rw /"]) != 0
