"""What those who run minigears see of it: INFO, metrics, logs, options."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from realgears import MiniGears
from realredis import wait_for

PAGE = (Path(__file__).resolve().parents[3] / "docs/minigears.md").read_text()
REGISTER = "GB('KeysReader', desc='counts').foreach(lambda x: execute('INCR', 'n'))" \
    ".register(prefix='k:*', mode='sync')"  # fmt: skip
FAIL = "GB('KeysReader').foreach(lambda x: 1 / 0).register(prefix='bad:*', mode='sync')"


@pytest.fixture
def own(redis_server, tmp_path, free_port):
    """A minigears with a metrics page and logs as JSON."""
    options = ("--metrics", f"127.0.0.1:{free_port}", "--log-format", "json")
    gears = MiniGears(redis_server, tmp_path, *options)
    gears.start()
    gears.metrics = lambda: scrape(free_port)
    yield gears
    assert gears.stop() == 0


def scrape(port: int) -> dict:
    """The samples of the page: {(name, registration's description or None, result or None): value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        families = text_string_to_metric_families(page.read().decode())
        return {
            (s.name, s.labels.get("description"), s.labels.get("result")): s.value
            for family in families
            for s in family.samples
        }


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("words", ["", "all", "everything", "minigears", "server MINIGEARS"])
def test_info_shows_minigears(gears, protocol, words):
    gears.run(REGISTER)
    with gears.client(protocol=protocol) as client:
        client.set("k:1", 1)
        info = client.info(*words.split())
        assert info["minigears_clients"] >= 1
        assert info["minigears_keys_registrations"] == 1
        assert info["minigears_events_total"] >= 1
        assert info["minigears_events_outstanding"] == 0
        assert ("redis_version" in info) == (words != "minigears")


@pytest.mark.parametrize("protocol", [2, 3])
def test_info_shows_what_redisgears_shows_of_itself(gears, protocol):
    gears.run(REGISTER)
    with gears.client(protocol=protocol) as client:
        info = client.info("rg")
        assert info["rg_nregistrations"] == 1
        assert {"rg_TotalAllocated", "rg_PeakAllocated", "rg_CurrAllocated"} < info.keys()
        assert "rg_nexecutions" in info
        assert "minigears_clients" not in info
        both = client.info("RG", "minigears", "server")
        assert {"rg_nexecutions", "minigears_clients", "redis_version"} < both.keys()


def test_info_shows_every_registration_and_session(gears):
    gears.run("GB(desc='mine').register('k:*', eventTypes=['set', 'del'], mode='sync')", "ID", "a")
    gears.run("GB('StreamReader').register('s', batch=3)", "ID", "b")
    with gears.client() as client:
        client.set("k:1", 1)
        info = client.info("rg_regisrations")
        keys, stream = info.values()
        assert (keys["desc"], keys["reader"], keys["mode"]) == ("mine", "KeysReader", "sync")
        assert (keys["numTriggered"], keys["lastError"], keys["regex"]) == (1, "None", "k:*")
        assert (keys["eventTypes"], keys["keyTypes"]) == ("[set|del]", "None")
        assert (stream["batchSize"], stream["status"]) == (3, "OK")
        assert client.info("rg_plugins") == {"rg_GearsPythonPlugin": {"version": 10000}}
        assert client.info("rg_python_sessions").keys() == {"rg_a", "rg_b"}
        every = client.info("rg")
        assert info.items() <= every.items()
        assert every.keys() < client.info("modules").keys() < client.info("everything").keys()
        assert client.info("rg_nosuch") == {}


def test_other_sections_of_info_are_as_redis_gives_them(gears):
    with gears.client() as client:
        assert not any(name.startswith("minigears") for name in client.info("memory"))


def test_info_inside_a_transaction_is_that_of_redis(gears):
    with gears.client() as client, client.pipeline() as pipe:
        pipe.set("a", 1)
        pipe.info()
        assert "minigears_clients" not in pipe.execute()[1]


def test_metrics_tell_what_happened(own):
    own.run(REGISTER)
    own.run(FAIL)
    with own.client() as client:
        for i in range(3):
            client.set(f"k:{i}", i)
        client.set("bad:1", 1)
        seen = own.metrics()
    assert seen["minigears_clients", None, None] == 1
    assert seen["minigears_events_total", None, None] == 4
    assert seen["minigears_events_outstanding", None, None] == 0
    assert seen["minigears_function_runs_total", "counts", "success"] == 3
    assert seen["minigears_function_runs_total", "", "failure"] == 1
    assert ("minigears_function_seconds_total", "counts", None) in seen
    assert seen["minigears_redis_connected", None, None] == 1


def test_metrics_show_a_function_that_does_not_end(own):
    own.run("import time\nGB('KeysReader').foreach(lambda x: time.sleep(600))"
            ".register(prefix='k:*', mode='sync')")  # fmt: skip
    with own.raw() as sock:
        sock.sendall(b"SET k:1 1\r\n")
        wait_for(lambda: own.metrics()["minigears_events_outstanding", None, None], what="event")
        seen = own.metrics()
        assert seen["minigears_held_replies", None, None] == 1
        assert seen["minigears_intents_pending", None, None] == 1
        own.executor.kill()  # else it would get ten seconds to end
        wait_for(lambda: own.metrics()["minigears_executor_restarts_total", None, None], what="it")
        with own.client() as client:
            [registration] = client.execute_command("RG.DUMPREGISTRATIONS")
            client.execute_command("RG.UNREGISTER", registration[1])


def test_metrics_are_there_while_redis_does_not_answer(own):
    own.run(REGISTER)
    frozen = psutil.Process(own.server.process.pid)
    frozen.suspend()
    try:
        seen = own.metrics()
    finally:
        frozen.resume()
    assert seen["minigears_intents_pending", None, None] == -1
    assert seen["minigears_keys_registrations", None, None] == 1


LAG = """
def f(x):
    if not execute('EXISTS', 'go'):
        raise Exception('not yet')
GB('StreamReader', desc='late').foreach(f) \\
    .register(prefix='s:*', onFailedPolicy='retry', onFailedRetryInterval=1)
"""


def test_metrics_show_how_late_a_stream_is(own):
    own.run(LAG)
    lag = ("minigears_stream_lag_seconds", "late", None)
    with own.client() as client:
        assert own.metrics()[lag] == 0
        long_ago = client.time()[0] - 1000
        client.xadd("s:1", {"n": 1}, id=f"{long_ago}000-0")
        wait_for(lambda: own.metrics()[lag] >= 1000, what="the lag of a batch that failed")
        client.set("go", 1)
        wait_for(lambda: not client.xlen("s:1"), what="the batch")
        client.xadd("s:1", {"n": 2})
        wait_for(lambda: own.metrics()[lag] < 1000, what="the lag of a batch in time")


LOG = """
for level in ('debug', 'verbose', 'notice', 'warning'):
    log('said as ' + level, level=level)
    log(level, 'the other way round, ' + level)
log('said as it is')
"""
SHOWN = [
    ("debug", {"debug": "debug", "verbose": "info", "notice": "info", "warning": "warning"}),
    ("info", {"verbose": "info", "notice": "info", "warning": "warning"}),
    ("warning", {"warning": "warning"}),
    ("error", {}),
]


@pytest.mark.parametrize(("level", "shown"), SHOWN)
def test_what_functions_log_has_its_level(redis_server, tmp_path, level, shown):
    gears = MiniGears(redis_server, tmp_path, "--log-format", "json", "--log-level", level)
    gears.start()
    gears.run(LOG)
    assert gears.stop() == 0
    entries = [json.loads(line) for line in gears.log.splitlines()]
    said = [(e["level"], e["message"]) for e in entries if e["logger"] == "minigears.gears"]
    expected = [
        (ours, f"GEARS: {words}{theirs}")
        for theirs, ours in shown.items()
        for words in ("said as ", "the other way round, ")
    ]
    if "notice" in shown:
        expected.append(("info", "GEARS: said as it is"))
    assert said == expected


def test_logs_are_json_on_every_line(own):
    own.executor.kill()
    wait_for(lambda: "starting another" in own.log, what="a line of the log")
    entries = [json.loads(line) for line in own.log.splitlines()]
    [entry] = [e for e in entries if "starting another" in e["message"]]
    assert entry["level"] == "error"
    assert entry["logger"] == "minigears.door.executor"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry["time"])


def config(directory: Path, text: str) -> Path:
    path = directory / "minigears.ini"
    path.write_text(text)
    return path


def run(*options: object, **environment: str) -> subprocess.CompletedProcess:
    """minigears with options that it refuses."""
    return subprocess.run(
        [sys.executable, "-m", "minigears", *map(str, options)],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip


def test_a_config_file_and_what_goes_first(redis_server, tmp_path, free_port):
    path = config(
        tmp_path,
        f"[minigears]\nredis = unix://{redis_server.socket}\nlisten = 127.0.0.1:{free_port}\n"
        "log-level = debug\nallow-open = no\n",
    )
    command = [sys.executable, "-m", "minigears", "--config", path, "--cache", tmp_path / "c"]
    with subprocess.Popen(map(str, command), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == f"minigears ready on 127.0.0.1:{free_port}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    told = run("--config", path, "--listen", "nowhere")
    assert "'nowhere' is not HOST:PORT" in told.stderr
    told = run("--config", path, MINIGEARS_LISTEN="elsewhere")
    assert "'elsewhere' is not HOST:PORT" in told.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[minigears]\nlistn = 1\n", "sets what is no option: listn"),
        ("[other]\n", "has no section [minigears]"),
        ("listen = 1\n", "cannot be read"),
        ("[minigears]\nlog-level = loud\n", "'loud' is not one of"),
        ("[minigears]\nallow-open = perhaps\n", "'perhaps' is not a valid boolean"),
    ],
)
def test_a_config_file_that_is_wrong_is_refused(tmp_path, text, message):
    told = run("--config", config(tmp_path, text))
    assert told.returncode == 2
    assert message in told.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REDIS", "http://x", "http://x"),
        ("LISTEN", "nowhere", "'nowhere' is not HOST:PORT"),
        ("TLS_CERT", "/no/cert", "'/no/cert' does not exist"),
        ("TLS_KEY", "/no/key", "'/no/key' does not exist"),
        ("TLS_CA", "/no/ca", "'/no/ca' does not exist"),
        ("CACHE", __file__, "is a file"),
        ("CONFIG", "/no/config", "'/no/config' does not exist"),
        ("LOG_LEVEL", "loud", "'loud' is not one of"),
        ("LOG_FORMAT", "xml", "'xml' is not one of"),
        ("METRICS", "somewhere", "'somewhere' is not HOST:PORT"),
    ],
)
def test_each_option_has_an_environment_variable(name, value, message):
    told = run(**{f"MINIGEARS_{name}": value})
    assert told.returncode == 2
    assert message in " ".join(told.stderr.split())
    assert f"MINIGEARS_{name}`" in PAGE.replace("`…_", "`MINIGEARS_TLS_")


def test_help_names_every_option_of_the_page():
    told = run("--help", COLUMNS="200").stdout
    options = set(re.findall(r"--[a-z-]+", told)) - {"--help"}
    assert options
    assert options <= set(re.findall(r"`(--[a-z-]+)", PAGE))
