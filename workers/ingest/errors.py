"""What can be wrong with a data set's files."""


class DataError(ValueError):
    """A data set's files are missing, damaged or not what they say they are. The message is `place: finding`."""

    def __init__(self, finding: str, place: str = "") -> None:
        """
        Args:
            finding: what is wrong, with the value and what would do.
            place: a file, a member of an archive, a row, a place in an array; empty of the data set as a whole.
        """
        super().__init__(f"{place}: {finding}" if place else finding)
        self.finding = finding
        self.place = place
