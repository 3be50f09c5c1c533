"""What holds for every test: the run has a folder of its own, cleans up, and tells its times."""

import sys

from hypothesis import settings

# jsonschema would check IRIs with this, and make its 38 parsers as nbformat is imported: for each worker
# that takes longer than to import all tests. Nothing here has an IRI to check.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

settings.register_profile(
    "ours", deadline=None
)  # of its own it fails what takes 0.2 s on a busy machine
settings.load_profile("ours")

pytest_plugins = [
    "tests.plugins.sandbox",
    "tests.plugins.docker_here",
    "tests.plugins.minutes",
    "tests.plugins.budgets",
    "tests.plugins.unsteady",
    "tests.plugins.together",
    "tests.recipes.twelve.plugin",
]
