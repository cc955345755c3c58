"""A hold, and a power cut.

Guarantees that an operator's hold takes effect and survives `kill -9`, that the agent starts again on the journal it left
behind, and that the journal of before is still readable.
"""

from world import expect, expect_true, wait_until


def a_hold_survives_a_power_cut(world):
    """Hold, kill without warning, start again: three times."""
    state_dir = world.folder / "state"
    agent = world.agent(state_dir=state_dir)
    status, out, err = world.run("hold", "--api", agent.url("api"))
    expect(status, 0, f"exit code of hold ({(out + err)[-300:]})")
    for life in range(2, 5):
        before = wait_until(lambda: held_tick(agent), 10, "the agent holds")
        agent.kill()
        agent = world.agent(state_dir=state_dir)
        after = wait_until(lambda: held_tick(agent), 10, "the agent still holds after a power cut")
        expect_true(before < after, f"ticks go on: {before} before, {after} after")
        expect(agent.get("/v1/status")["agent"]["life"], life, "how often it was started on this journal")
    status, out, err = world.run("resume", "--api", agent.url("api"))
    expect(status, 0, f"exit code of resume ({(out + err)[-300:]})")
    wait_until(lambda: not held_tick(agent), 10, "the agent acts again")


def held_tick(agent):
    """The number of the last tick if the agent holds."""
    status = agent.get("/v1/status")
    return status["tick"] if "hold" in str(status["regime"]).lower() else None
