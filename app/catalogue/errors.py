"""What the catalogue raises.

CatalogueError
├── MigrationBusy      another process has held the migration lock for too long
├── NewerTables        a newer version has changed the tables so that this version's code does not work on them
├── InvalidCursor      a page was asked for after a value that its order cannot have
├── NameTaken          the name of a data set stands for another one
└── TableRefused       the database does not take a row of a published table
"""


class CatalogueError(Exception):
    """Anything that goes wrong in the catalogue by its own rules."""


class MigrationBusy(CatalogueError):
    """Another process has held the migration lock for longer than the lock timeout."""


class NewerTables(CatalogueError):
    """A newer version has changed the tables so that this version's code does not work on them."""


class InvalidCursor(CatalogueError):
    """A page was asked for after a value that its order cannot have."""


class NameTaken(CatalogueError):
    """The owner has another data set of this name, or it is that of a built-in one."""


class TableRefused(CatalogueError):
    """The database does not take a row of a published table, so that none is written."""
