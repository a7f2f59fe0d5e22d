"""Every secret that a test was shown, kept for the end of the run, which looks for each of them in the logs of all servers.

`tests/run` names the folders: $POSTROOM_SHOWN for the secrets, $POSTROOM_LOGS for what the servers log. Without them nothing is kept.
"""

import os
import re
import sys

# Keys tell themselves by their prefix; of passwords only the field's name tells.
KEY = re.compile(rb"(?:am|tk|wk|ak|sa)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=_-]{16,}")
FIELD = re.compile(rb'"(?:imapPassword|password|apiKey|api_key|secret|signing_key)"\s*:\s*"([^"\\\s]{16,})"')
LETTERS = re.compile(rb"[A-Za-z0-9_]{16,}")
WIDTH = 16
_known = set()


def note(octets):
    """Keeps the secrets in an answer, a ready line or a command's output."""
    folder = os.environ.get("POSTROOM_SHOWN")
    if not folder or not octets:
        return
    octets = octets.encode() if isinstance(octets, str) else octets
    fresh = {*KEY.findall(octets), *FIELD.findall(octets)} - _known
    if fresh:
        _known.update(fresh)
        with open(os.path.join(folder, str(os.getpid())), "ab") as file:
            file.write(b"".join(secret + b"\n" for secret in sorted(fresh)))


def log_path(folder, number):
    """Where a server logs: where the run gathers logs, or in its own folder."""
    gathered = os.environ.get("POSTROOM_LOGS")
    if not gathered:
        return os.path.join(folder, "stderr.log")
    script = os.path.basename(sys.argv[0]).removesuffix(".py") or "python"
    return os.path.join(gathered, f"{script}-{os.getpid()}-{number}.log")


def lines(folder):
    found = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found.update(line.strip() for line in file)
    return {line for line in found if len(line) >= WIDTH}


def leaks(shown, logs):
    """(how many secrets, how many octets of logs, [log and secret, shortened]) of the two folders."""
    secrets = lines(shown)
    # A secret without its prefix gives it away just as well.
    wanted = {re.sub(rb"^(?:am|tk|wk|ak|sa|whsec)_", b"", secret) for secret in secrets}
    starts = {}
    for secret in wanted:
        starts.setdefault(secret[:WIDTH], []).append(secret)
    odd = [secret for secret in wanted if not LETTERS.match(secret[:WIDTH])]
    octets, found = 0, set()
    for name in sorted(os.listdir(logs)):
        with open(os.path.join(logs, name), "rb") as file:
            for line in file:
                octets += len(line)
                for secret in seen_in(line, starts, odd):
                    found.add(f"{name}: {secret[:6].decode('latin-1')}…")
    return len(secrets), octets, sorted(found)


def seen_in(line, starts, odd):
    for run in LETTERS.finditer(line):
        for at in range(run.start(), run.end() - WIDTH + 1):
            for secret in starts.get(line[at:at + WIDTH], ()):
                if line.startswith(secret, at):
                    yield secret
    for secret in odd:
        if secret in line:
            yield secret
