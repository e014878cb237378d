"""The one error of the local stack; it stands alone because every module here raises it."""


class LocalStackError(Exception):
    """A local server could not be installed, started or stopped.

    The message is one or two plain sentences, what is wrong and what to do, and where a server
    died also the path of its log and the log's last lines. Show it to the user as it is.
    """
