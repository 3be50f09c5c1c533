"""What holds for every test: the run has a folder of its own, cleans up, and tells its times."""

pytest_plugins = [
    "tests.sandbox",
    "tests.docker_here",
    "tests.minutes",
    "tests.budgets",
    "tests.unsteady",
    "tests.together",
    "tests.recipes.twelve.plugin",
]
