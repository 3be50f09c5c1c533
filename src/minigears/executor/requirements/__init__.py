"""Requirements of scripts: each is installed on its own, into a cache that outlives us."""

from minigears.executor.requirements.model import Requirement, RequirementError
from minigears.executor.requirements.store import RequirementStore

__all__ = ["Requirement", "RequirementError", "RequirementStore"]
