"""The verdict of a run: a pure function of its directory, in the forms that people, Zuul and CI servers read."""

from .gather import read
from .output import write
from .result import Result, StageResult, VersionResult

__all__ = ['Result', 'StageResult', 'VersionResult', 'read', 'write']
