"""What keeps a backup from being made or restored.

BackupError
├── NoBackup         the directory holds no whole backup
├── DamagedBackup    it does, and a file in it is not what was written
└── NotAnEmptySetup  there is something already where it was to be restored
"""


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why."""


class NoBackup(BackupError):
    """The directory holds no whole backup."""


class DamagedBackup(BackupError):
    """A file of the backup is missing, or is not what was written."""


class NotAnEmptySetup(BackupError):
    """There are rows or files already."""
