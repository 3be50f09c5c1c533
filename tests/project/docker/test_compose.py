"""docker-compose.yml is valid, keeps what its comments promise and agrees with pyproject.toml."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.plugins.docker_here import compose_command, leave_out
from tests.project.files import REPOSITORY, pyproject

FILE = REPOSITORY / "docker-compose.yml"
TEXT = FILE.read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
UNVERSIONED = {"redislabs/redismod"}
"""Images whose makers never published a version."""

each_service = pytest.mark.parametrize("name", SERVICES)


def test_docker_compose_accepts_it():
    if not (command := compose_command()):
        leave_out("no docker compose here to ask")
    profiles = [word for name in profiles_of_all() for word in ("--profile", name)]
    checked = subprocess.run(
        [*command, "-f", FILE, *profiles, "config", "--quiet"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def profiles_of_all() -> set[str]:
    return {profile for service in SERVICES.values() for profile in service.get("profiles", [])}


def test_the_stack_needs_no_profile_and_the_tools_are_profiles():
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"redis", "mongo"}
    assert profiles_of_all() == {"redisinsight", "mongoexpress", "jupyter"}


@each_service
def test_an_image_can_be_replaced_and_its_default_is_pinned(name):
    variable, image, tag = re.fullmatch(
        r"\$\{(\w+):-([^:}]+):([^:}]+)\}", SERVICES[name]["image"]
    ).groups()
    assert variable == f"{name.upper()}_IMAGE"
    assert image in UNVERSIONED or re.match(r"\d+\.\d+\.\d+", tag)


@each_service
def test_ports_are_on_the_loopback_address_and_can_be_moved(name):
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(rf"127\.0\.0\.1:\$\{{{name.upper()}_PORT:-(\d+)\}}:\1", port)


@each_service
def test_a_service_has_a_health_check_and_waits_for_healthy_ones(name):
    assert {"test", "interval", "timeout", "retries"} <= set(SERVICES[name]["healthcheck"])
    for awaited in SERVICES[name].get("depends_on", {}).values():
        assert awaited == {"condition": "service_healthy"}


@each_service
def test_a_service_is_on_the_one_network(name):
    assert SERVICES[name]["networks"] == ["course"]
    assert set(COMPOSE["networks"]) == {"course"}


@each_service
def test_data_are_in_named_volumes(name):
    sources = {volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}
    assert sources <= {*COMPOSE["volumes"], "."}


def test_every_variable_is_in_the_example_with_its_default():
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    example = (REPOSITORY / ".env.example").read_text()
    told = dict(re.findall(r"^#(\w+)=(.*)$", example, re.MULTILINE))
    assert {name: told.get(name) for name in used} == used
    assert {name for name in told if not name.startswith("LAB_")} == set(used)


def test_the_python_of_jupyter_is_one_that_the_project_supports():
    version = re.search(r"python:(\d+\.\d+\.\d+)", SERVICES["jupyter"]["image"])[1]
    assert version in SpecifierSet(pyproject()["project"]["requires-python"])
