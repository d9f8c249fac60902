"""The embedded PostgreSQL server."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from app.embedded.child import Child, bound_to_parent, wait_until
from app.embedded.dataroot import DataRoot
from app.embedded.errors import EngineFailed
from app.embedded.leftover import end_leftovers

ROLE = "cellar"
DATABASE = "cellar"
MAX_CONNECTIONS = 100
"""PostgreSQL's own default: an API process and a dozen workers need about half of it."""

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""All that a server is told: nothing of this process's environment, which may hold secrets."""


class Postgres:
    """One PostgreSQL on a unix socket, with one role that is asked for its password (scram-sha-256)."""

    def __init__(self, root: DataRoot, binaries: Path, *, durable: bool) -> None:
        self._root = root
        self._binaries = binaries
        self._password = root.password()
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(root.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "cluster_name": "cellar",
        }
        if not durable:
            options |= {"fsync": "off", "full_page_writes": "off"}  # killed servers still lose nothing
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.child = Child(
            "PostgreSQL",
            [binaries / "postgres", "-D", root.cluster, *words],
            log=root.logs / "postgres.log",
            directory=root.cluster,
            environment=ENVIRONMENT,
            # "Fast" shutdown: it ends the sessions of clients instead of waiting for them.
            stop=signal.SIGINT,
            death=signal.SIGINT,
            account=root.account,
        )

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy's URL of a database of this server."""
        return f"postgresql+psycopg://{ROLE}:{self._password}@/{database}?host={self._root.sockets}"

    def start(self, timeout: float) -> None:
        """Make the cluster where there is none, start the server, and wait until it answers.

        Raises:
            EngineFailed: with the end of its log.
        """
        if not self._root.cluster.exists():
            self._make_cluster()
        self.restart(timeout)
        self._make_database()

    def restart(self, timeout: float) -> None:
        """Start it on a cluster that exists, whatever the last server left there."""
        if end_leftovers(self._root.cluster, "postgres", signal.SIGINT):
            # Nobody works there any more. What has the number in these files now, a zombie or something foreign,
            # would otherwise be taken for the server.
            for file in (self._root.cluster / "postmaster.pid", self._root.sockets / ".s.PGSQL.5432.lock"):
                file.unlink(missing_ok=True)
        self.child.start()
        self._await(timeout)

    def _await(self, timeout: float) -> None:
        if not wait_until(lambda: self.ready or not self.child.alive, timeout) or not self.ready:
            failure = self.child.failure("did not start" if not self.child.alive else "did not get ready")
            self.child.stop(5)
            raise failure

    @property
    def ready(self) -> bool:
        """Whether it accepts connections; line 1 of its pid file is the process, line 8 the state."""
        try:
            lines = (self._root.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def _make_cluster(self) -> None:
        """Run initdb beside the final place and rename, so that an initdb that was cut off leaves no half cluster."""
        root = self._root
        incoming = root.cluster.with_name("postgres.incoming")
        if incoming.exists():
            shutil.rmtree(incoming)
        root.directory(incoming)
        account = root.account
        secret = root.sockets / "initdb.password"
        secret.unlink(missing_ok=True)
        with open(secret, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(self._password)
        if account is not None:
            os.chown(secret, account.uid, account.gid)
        try:
            made = subprocess.run(
                [
                    self._binaries / "initdb",
                    f"--pgdata={incoming}",
                    f"--username={ROLE}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                cwd=incoming,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                start_new_session=True,  # Ctrl-C is for this process, which lets it finish and then stops
                preexec_fn=bound_to_parent(signal.SIGKILL),
                user=account and account.uid,
                group=account and account.gid,
                extra_groups=account and [],
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineFailed(f"initdb cannot be started: {error}") from error
        finally:
            secret.unlink(missing_ok=True)
        if made.returncode != 0:
            raise EngineFailed(
                f"initdb could not make {root.cluster} (exit status {made.returncode}):\n{made.stdout.strip()}"
            )
        incoming.rename(root.cluster)

    def _make_database(self) -> None:
        try:
            with psycopg.connect(
                host=str(self._root.sockets), user=ROLE, password=self._password, dbname="postgres", autocommit=True
            ) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.Error as error:
            self.child.stop(10)
            raise EngineFailed(f"PostgreSQL runs on {self._root.path} but refuses us: {error}") from error
