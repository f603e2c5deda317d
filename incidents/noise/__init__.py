"""What keeps an alert quiet for now: a silence that people set, flapping, or a learned hold. It is recorded and shown all the same.

`quieten_all` is what grouping asks; `release_due` lets go what was quiet long enough. Nothing but a silence quiets an alert of severity 1
or one that users feel.
"""

from incidents.noise.quiet import quieten, quieten_all, release, release_due

__all__ = ["quieten", "quieten_all", "release", "release_due"]
