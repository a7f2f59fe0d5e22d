"""Builds the preload library of ../crash/shim and makes the environment that switches it on."""

import os
import sys

from scenario import command, temp_folder

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash", "shim")
sys.path.insert(0, SOURCE)


def build():
    library = os.path.join(temp_folder("shim"), "shim.so")
    command(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, os.path.join(SOURCE, "shim.c"), "-ldl",
             "-lpthread"])
    return library


def environment(library, folder, log=None, full=None, eio=None, match=None):
    """The variables that shim.c reads, for files under `folder`."""
    wanted = {"LD_PRELOAD": library, "SHIM_DIR": os.path.realpath(folder), "SHIM_LOG": log, "SHIM_FULL": full, "SHIM_EIO": eio,
              "SHIM_MATCH": match}
    return {name: value for name, value in wanted.items() if value}
