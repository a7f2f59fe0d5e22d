"""Packages of the registries that some suites use, pinned in ../packages, installed once into a cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys

PINS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packages")


def folder(kind, pins):
    """Where packages of this kind are kept; another set of pins has another folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    digest = hashlib.sha256(sys.version.encode() if kind == "python" else b"")
    for name in pins:
        with open(os.path.join(PINS, name), "rb") as file:
            digest.update(file.read())
    return os.path.join(cache, "postroom", f"{kind}-{digest.hexdigest()[:12]}")


def installed(kind, pins, install):
    """The folder with the packages; half an installation is never seen."""
    path = folder(kind, pins)
    if not os.path.exists(path):
        part = f"{path}.{os.getpid()}"
        os.makedirs(part)
        try:
            install(part)
            os.rename(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return path


def quietly(*words, **options):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)


def python_packages(pins="requirements.txt"):
    """The folder with the Python packages of one file of pins: two versions of one package are in two files.

    `requirements.txt` names what is asked for; the others name every package there is to be, so nothing else is installed
    (agentmail-toolkit would bring five frameworks that its tools do not need).
    """

    def install(part):
        tool = os.path.join(part, "venv")
        quietly(sys.executable, "-m", "venv", tool)
        quietly(os.path.join(tool, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--target", os.path.join(part, "packages"),
                *([] if pins == "requirements.txt" else ["--no-deps"]), "-r", os.path.join(PINS, pins))
        shutil.rmtree(tool)

    return os.path.join(installed("python", [pins], install), "packages")


def use_python_packages(pins="requirements.txt"):
    """Makes the pinned Python packages importable."""
    sys.path.insert(0, python_packages(pins))


def node_modules():
    """The folder for NODE_PATH with the pinned Node packages."""

    def install(part):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(PINS, name), part)
        quietly("npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", cwd=part)

    return os.path.join(installed("node", ["package.json", "package-lock.json"], install), "node_modules")
