from minigears.executor.stats import Stats


def test_fields_of_a_fresh_registration():
    assert Stats().fields(lag=True) == [
        *["numTriggered", 0, "numSuccess", 0, "numFailures", 0, "numAborted", 0],
        *["lastRunDurationMS", 0, "totalRunDurationMS", 0, "avgRunDurationMS", 0],
        *["lastEstimatedLagMS", 0, "avgEstimatedLagMS", 0, "lastError", None],
    ]


def test_averages_are_over_runs_that_ended():
    stats = Stats()
    stats.triggered = 5
    stats.succeeded(1.0)
    stats.failed("boom", 0.2)
    stats.succeeded(0)
    stats.was_aborted()
    shown = stats.fields(lag=False)
    pairs = dict(zip(shown[::2], shown[1::2], strict=True))
    assert pairs["avgRunDurationMS"] == 0.25
    assert (pairs["numSuccess"], pairs["numFailures"], pairs["numAborted"]) == (2, 1, 1)
    assert pairs["lastError"] is None
    stats.failed("boom", 0)
    stats.was_aborted()
    assert stats.last_error == "boom"
    stats.clear()
    assert stats == Stats()


def test_what_runs_while_all_is_cleared_counts_afterwards():
    stats = Stats(triggered=3, success=1, failures=1)
    stats.clear()
    assert stats == Stats(triggered=1)
