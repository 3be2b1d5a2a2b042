"""A helper process computes apart, and never outlives the process that asked."""

import os
import signal
import subprocess
import sys

import psutil

from services.runtime.helper import in_own_process
from tests.support.waiting import wait_until

ASKING = """
import os, time
from services.runtime.helper import helper
from tests.support.waiting import wait_until
if __name__ == "__main__":
    pool = helper()
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


async def test_a_call_is_made_in_another_process() -> None:
    assert await in_own_process(os.getpid) != os.getpid()


def test_the_helper_ends_when_the_one_that_asked_is_killed() -> None:
    asking = subprocess.Popen([sys.executable, "-c", ASKING], stdout=subprocess.PIPE, text=True)
    try:
        assert asking.stdout is not None
        child = int(asking.stdout.readline())
        assert psutil.pid_exists(child)
        asking.send_signal(signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(child))
    finally:
        asking.kill()
        asking.communicate()
