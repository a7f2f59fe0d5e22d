"""Runs a server at another time of day: what it forgets or gives up after some days is then there whenever a test is run."""

import functools
import os
import time

from scenario import command, temp_folder

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")


@functools.cache
def library():
    built = os.path.join(temp_folder("clock"), "clock.so")
    command(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"])
    return built


def environment(then):
    """The variables with which a program that is started now believes that it is `then`, in seconds since 1970."""
    return {"LD_PRELOAD": library(), "CLOCK_SHIFT": str(int(then - time.time()))}
