#!/usr/bin/env python3
"""Holds what the binary is built from against deny.toml, without network: licences, forbidden crates, and THIRD-PARTY.md.

`tests/dependencies.py --write` makes THIRD-PARTY.md anew after a change of Cargo.lock. `cargo deny check` does the same and
looks up advisories; it is not needed for a test run.
"""

import os
import re
import subprocess
import sys
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTICE = os.path.join(ROOT, "THIRD-PARTY.md")
HEAD = """# Third-party software

The binary is built from these registry crates, each under the licence it names; where there is a choice, postroom takes one that
`deny.toml` allows. Made by `tests/dependencies.py --write`.

| crate | version | licence |
| --- | --- | --- |
"""


def packages():
    """(name, version, licence) of what the binary links or runs to be built; not what only tests use."""
    text = subprocess.run(["cargo", "tree", "--locked", "-p", "postroom", "-e", "normal,build", "--prefix", "none",
                           "--target", "x86_64-unknown-linux-gnu", "--format", "{p}\t{l}"],
                          cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = set()
    for line in text.splitlines():
        package, licence = line.removesuffix(" (*)").split("\t")
        name, version, *source = package.split(" ")
        if not any(word.startswith("(/") for word in source):
            found.add((name, version.removeprefix("v"), licence.removesuffix(" (*)")))
    return sorted(found)


def allowed(expression, licences):
    """Whether an SPDX expression can be met with these licences."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    terms = []
    while words:
        word = words.pop(0)
        if word in ("(", ")", "AND", "OR"):
            terms.append({"AND": "and", "OR": "or"}.get(word, word))
        else:
            if words[:1] == ["WITH"]:
                word = " ".join([word, *words[:2]])
                del words[:2]
            terms.append(str(word in licences))
    return eval(" ".join(terms))  # noqa: S307 - only brackets, and, or, True and False


def main():
    found = packages()
    notice = HEAD + "".join(f"| {name} | {version} | {licence} |\n" for name, version, licence in found)
    if sys.argv[1:] == ["--write"]:
        with open(NOTICE, "w", encoding="utf-8") as file:
            file.write(notice)
        return
    with open(os.path.join(ROOT, "deny.toml"), "rb") as file:
        rules = tomllib.load(file)
    forbidden = {rule["crate"] for rule in rules["bans"]["deny"]}
    wrong = [f"{name} is forbidden" for name, _, _ in found if name in forbidden]
    wrong += [f"{name}: {licence}" for name, _, licence in found if not allowed(licence or "none", rules["licenses"]["allow"])]
    if sum(name == "aws-lc-sys" for name, _, _ in found) != 1:
        wrong.append("there must be one aws-lc-sys")
    with open(NOTICE, encoding="utf-8") as file:
        if file.read() != notice:
            wrong.append("THIRD-PARTY.md is not what Cargo.lock says: run tests/dependencies.py --write")
    print(*wrong, f"{len(found)} crates", sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
