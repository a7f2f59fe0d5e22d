"""A Debian package that cannot be installed beside what is here, installed in a throw-away layer above this machine's files.

A private mount namespace holds an overlay whose upper half is in memory; nothing of it is left when the process ends. Root only.
"""

import os
import subprocess
import tempfile

from scenario import spawn

SETUP = """
set -e
mount -t tmpfs -o size=1g tmpfs "$MOUNTS"
mkdir "$MOUNTS/upper" "$MOUNTS/work" "$MOUNTS/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$MOUNTS/upper,workdir=$MOUNTS/work" "$MOUNTS/root"
for name in proc dev sys; do mount --rbind "/$name" "$MOUNTS/root/$name"; done
mount --bind "$SHARED" "$MOUNTS/root$SHARED"
cat /etc/resolv.conf > "$MOUNTS/root/etc/resolv.conf" || true
printf '#!/bin/sh\\nexit 101\\n' > "$MOUNTS/root/usr/sbin/policy-rc.d"
chmod 755 "$MOUNTS/root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
chroot "$MOUNTS/root" apt-get update -qq < /dev/null
chroot "$MOUNTS/root" apt-get install -y -qq --no-install-recommends "$PACKAGE" < /dev/null
exec chroot "$MOUNTS/root" "$@"
"""


class Overlay:
    """Installs `package` in a layer of its own and runs `command` there; `shared` is a folder that both sides see."""

    def __init__(self, package, command, shared):
        self.package, self.command, self.shared = package, command, shared

    def __enter__(self):
        self.mounts = tempfile.mkdtemp(prefix="postroom-overlay-")
        environment = {**os.environ, "MOUNTS": self.mounts, "SHARED": self.shared, "PACKAGE": self.package}
        self.log = open(os.path.join(self.shared, "overlay.log"), "wb")
        self.process = spawn(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-c", SETUP, "sh", *self.command],
                             env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(30)
        self.log.close()
        os.rmdir(self.mounts)

    def output(self):
        with open(os.path.join(self.shared, "overlay.log"), errors="replace") as file:
            return file.read()[-4000:]
