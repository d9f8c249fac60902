"""What can be wrong with a data set's files."""


class DataError(ValueError):
    """A data set's files are missing, damaged or not what they say they are; the message names the place."""
