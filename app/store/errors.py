"""What can go wrong with stored files.

StoreError
├── StoreDown        out of reach: the same again, later, may succeed
├── StoreUnusable    refused, or not set up: an operator has to change something
├── MissingObject    there is no file of this name
└── DamagedObject    there is one, and it is not what was written
"""


class StoreError(Exception):
    """Something is wrong with the store or with a file in it."""


class StoreDown(StoreError):
    """The store is out of reach."""


class StoreUnusable(StoreError):
    """The store refuses, or is not set up."""


class MissingObject(StoreError):
    """A file that should be there is not."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not in the store")
        self.path = path


class DamagedObject(StoreError):
    """A file is not what was written."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path} is damaged: {detail}")
        self.path = path
