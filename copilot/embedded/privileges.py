"""As whom a program runs that refuses to run as root (PostgreSQL)."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict


class PopenOptions(TypedDict, total=False):
    """The part of subprocess.Popen's options that switches the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class RunAs:
    """A user to switch to, or a command in front that does; empty: the user that we are."""

    prefix: tuple[str, ...] = ()
    switch_to: tuple[int, int] | None = None  # user id, group id
    owner: tuple[int, int] | None = None  # who must own the program's folders; None: who we are

    def options(self) -> PopenOptions:
        """Return the options for subprocess.Popen."""
        if self.switch_to is None:
            return {}
        return {"user": self.switch_to[0], "group": self.switch_to[1], "extra_groups": []}

    def give(self, folder: Path) -> None:
        """Hand the folder and everything below it to the user that the program runs as, closed to everyone else."""
        folder.chmod(0o700)
        if self.owner is None:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *self.owner, follow_symlinks=False)


def not_root(*, program: Path, folders: Sequence[Path]) -> RunAs | None:
    """Choose a way to run `program` on existing `folders` without being root; None when this machine allows none.

    In this order: as we are; as `nobody`; as `nobody` with the one right to pass closed parent folders (a checkout
    below root's home); in a user namespace where we are somebody else.
    """
    if os.geteuid() != 0:
        return RunAs()
    nobody = pwd.getpwnam("nobody")
    ids = (nobody.pw_uid, nobody.pw_gid)
    choices = [RunAs(switch_to=ids, owner=ids)]
    if setpriv := shutil.which("setpriv"):
        # The secure bit makes the right count for access(2), too, by which PostgreSQL looks for its own programs.
        right = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")
        switch = (setpriv, f"--reuid={ids[0]}", f"--regid={ids[1]}", "--clear-groups", *right, "--pdeathsig=INT", "--")
        choices.append(RunAs(prefix=switch, owner=ids))
    if unshare := shutil.which("unshare"):
        choices.append(RunAs(prefix=(unshare, "--user", "--map-user=1000", "--map-group=1000", "--")))
    return next((choice for choice in choices if _works(choice, program, folders)), None)


def _works(choice: RunAs, program: Path, folders: Sequence[Path]) -> bool:
    """Try it: the program answers, and every folder's parent can be passed."""
    test = 'program=$1; shift; for folder; do test -e "$folder" || exit 1; done; exec "$program" --version'
    try:
        done = subprocess.run(
            [*choice.prefix, "/bin/sh", "-c", test, "sh", str(program), *map(str, folders)],
            cwd="/",
            capture_output=True,
            timeout=10,
            check=False,
            **choice.options(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
