"""libgomp for the model server: a minimal system lacks it, and other packages of this environment bring it along."""

import sys
import sysconfig
from ctypes.util import find_library
from pathlib import Path

NAME = "libgomp.so.1"


def variables() -> dict[str, str]:
    """Return the environment variables with which a child process finds libgomp; none when the system has it.

    Links the copy that torch or scikit-learn carries into this environment's own folder. Raises OSError when that is not writable.
    """
    if find_library("gomp"):  # what the system has; this very process may have loaded torch's copy
        return {}
    packages = Path(sysconfig.get_path("platlib"))
    copies = sorted([*packages.glob("torch/lib/libgomp*.so*"), *packages.glob("*.libs/libgomp*.so*")])
    if not copies:
        return {}
    link = Path(sys.prefix) / "lib" / "openmp" / NAME
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(copies[0])
    return {"LD_LIBRARY_PATH": str(link.parent)}
