"""What the engine refuses, in the hosted API's words. The API turns these into HTTP."""


class RefusedError(Exception):
    """The request cannot be carried out as things stand: the caller must change something."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class RunLostError(Exception):
    """This worker no longer owns the run: it was cancelled, expired, deleted or taken over."""
