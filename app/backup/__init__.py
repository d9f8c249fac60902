"""Backups: everything that an installation would miss, as a directory of files.

    back_up(database, store, data_root, directory, code_version=...)
    restore(database, store, data_root, directory)         # into an empty set-up

tables/<name>.copy   rows, as PostgreSQL's COPY writes them, of one snapshot
store/objects/...    the stored files that the snapshot names; checkpoints below store/jobs/
data/...             data sets, and the secret of the installation
manifest.json        all of them with bytes and sha256; written last
"""

from app.backup.errors import BackupError, DamagedBackup, NoBackup, NotAnEmptySetup
from app.backup.making import back_up
from app.backup.manifest import Manifest
from app.backup.restoring import restore

__all__ = ["BackupError", "DamagedBackup", "Manifest", "NoBackup", "NotAnEmptySetup", "back_up", "restore"]
