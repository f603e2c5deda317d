"""Words that speak of trouble, and what well-known states mean. None is a system's or a service's name."""

import re

TROUBLE = re.compile(
    r"error|exception|fail(?:ed|ing|ure|s)?\b|fatal|panic|time[d -]?out|refused|unavailable|denied|exhaust|out of memory|\boom|killed|deadlock"
    r"|abort|undefined|missing|not found|no such|unable|can(?:no|')t|could not|invalid|expired|crash|reject|unreachable|unhealthy|partition"
    r"|throttl|exceed|violat|corrupt|conflict|forbidden|unauthori[sz]ed|not set|degraded|\blost\b|stuck|leak|back-?off|evict|too many|no space|split.?brain",
    re.IGNORECASE,
)
# In a key with the value true or with a list that is not empty.
BAD_KEY = re.compile(
    r"error|fail|alarm|partition|unreachable|degraded|stale|blocked|deadlock|pressure|unschedulable|unavailable|corrupt|lagging|down\b|exceeded|violation",
    re.IGNORECASE,
)
# In a key with the value false.
GOOD_KEY = re.compile(
    r"running|ready|healthy|available|connected|success|alive|initialized|synced|in_?sync|online|reachable|\bup\b|\bok\b",
    re.IGNORECASE,
)
MEANINGS = {
    "OOMKilled": "killed because it used more memory than its limit",
    "CrashLoopBackOff": "it starts, ends and is started again, with growing pauses",
    "ImagePullBackOff": "its image cannot be pulled",
    "ErrImagePull": "its image cannot be pulled",
    "CreateContainerConfigError": "its configuration cannot be used, for example a missing secret or config map",
    "Evicted": "removed because its node ran short of a resource",
    "Pending": "not placed on a node yet, or its volume or image is not there yet",
}
EXIT_CODES = {
    "137": "killed by SIGKILL",
    "139": "ended by a segmentation fault",
    "143": "ended by SIGTERM",
    "127": "its command was not found",
    "126": "its command could not be run",
}
