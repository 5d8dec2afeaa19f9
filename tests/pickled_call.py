"""What hostile pickles of the tests hold."""


class Call:
    """Is pickled as the call of a function, which loading it would make."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call
