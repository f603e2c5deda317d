"""What words mean to the checker: those that state nothing of their own, those that mean the same, and those that tell a direction.

A word that is in none of these and not in the cited evidence states something that nobody checked.
"""

import re
from functools import lru_cache
from pathlib import Path

# How a thing is said rather than what: function words, order, degree, reporting. What they order, compare or deny is checked elsewhere.
_PLAIN = frozenset(Path(__file__).with_name("plain_words.txt").read_text(encoding="utf-8").split())

# Words for the same thing: a claim may use any of a line's words where the evidence uses another of them.
_SAME = tuple(
    (re.compile(rf"(?:{said})", re.IGNORECASE), re.compile(rf"(?:{there})", re.IGNORECASE))
    for said, there in (
        # said in a claim, in the evidence: regular expressions, the first for a whole word
        (
            r"latenc\w+|slow\w*|long\w*|sluggish\w*|fast\w*|respon[sd]\w+|durations?|answer\w*|delay\w*|perform\w*|self|own|spen[dt]s?|speed\w*|sped|wait\w*|tail|degrad\w+|operations?|handl\w+|serv\w+|need\w*|process\w*",
            r"response time|duration|latency|own time|self time|\bslow|\btook\b|p50|p9\d|\bms\b",
        ),
        (
            r"fail\w*|error\w*|erroneous|unsuccessful\w*|success\w*|exceptions?|degrad\w+|broke\w*|break\w*|fault\w*|rejected|problems?|thr[eo]w\w*|raised?|hit|answer\w*",
            r"fail|error|exception|\b5\d\d\b|timed? ?out|timeout|refused|abort|exhausted|false",
        ),
        (
            r"traffic|load|throughput|volume|requests?|demand|surges?|visitors?|users?|customers?|handl\w+|serv\w+|receiv\w+|gets?|calls?|queries|busy|spikes?|work\w*|process\w*|import\w*|speed|overload\w*",
            r"per s\b|traffic|throughput|rows_per_s|requests",
        ),
        (r"memory|ram|heap|footprint|consum\w+|gain\w*|grew|fill\w*|eat\w*|us(?:age|e|es|ed|ing)", r"memory|heap|\brss\b|[KMG]iB"),
        (r"cpus?|processors?|cores?|utili[sz]ation|busy|work\w*|saturat\w*|usage|hard|consum\w+", r"\bcpu|utilization"),
        (
            r"deploy\w*|releas\w+|roll(?:ed|ing)?|rollout\w*|upgrad\w+|updat\w+|version\w*|chang\w+|bump\w*|modif\w+|switch\w*|flip\w*|enabl\w+|activat\w+|introduc\w+|add(?:s|ed|ing)?|arriv\w+|land(?:s|ed)|install\w*|ship\w*|went|live|run|ran|replac\w+",
            r"\bchanged (?:from|at)|\bdeploy|\d → \d",
        ),
        (r"tim(?:ed|es|ing)|time-?outs?|wait\w*|unanswered|respon[sd]\w+|answer\w*|repl(?:y|ies|ied)|expir\w+|vain", r"timed? ?out|did not answer|within \d|waits? for|timeout|took longer than|giving up|gave up|deadline exceeded"),
        (r"backlog\w*|queue\w*|pil(?:e|ed|ing)|wait\w*|pending|accumulat\w+|build\w*|built|stack\w*|unprocessed|undelivered|congest\w*", r"queue|pending|messages\.ready|waiting|waiters|backlog"),
        (r"databases?|db|sql|quer(?:y|ies|ied)|statements?|tables?|reads?|postgres\w*|lookups?", r"\bdb\b|db\.|database|\bSELECT\b|\bINSERT\b|\bUPDATE\b|\bDELETE\b|table"),
        (r"miss\w*", r"hit\.ratio|hit ratio"),
        (r"cach\w+|hits?|evict\w+|entries|keys?", r"cache|evict"),
        (r"connect\w*|pool\w*|slots?|exhaust\w*|saturat\w*|occup\w+|capacity|free|available", r"connection|pool|in use"),
        (r"login|sign\w*|authenticat\w+", r"login|log-in|signed in|sign-?in|re-login"),
        (r"logout|sign\w*", r"logged out|logout|log-out|re-login"),
        (r"people|users?", r"\busers?\b|people|customer|client|re-login"),
        (r"paths?|routes?|way|different\w*|alternative", r"\bpath\b"),
        (
            r"exhaust\w*|full\w*|saturat\w*|maxed|limits?|ran|fill\w*|capacity|deplet\w+|used|use|occupied|out|left|run",
            r"limit (?:of|was)|reached|(\d+) of \1\b|maxmemory|exhaust|no space left|\bfull\b|uses all",
        ),
        (r"kill\w*|oom\w*|terminat\w+|memory", r"OOMKilled|SIGKILL|\bkilled\b"),
        (r"crash\w*|loop\w*|restart\w*|fail\w*|container\w*|pods?", r"CrashLoopBackOff|Restart"),
        (r"restart\w*|reboot\w*|bounc\w+", r"restart"),
        (r"spans?|traces?|calls?|requests?|operations?|endpoints?|time|transactions?|quer(?:y|ies)|path|work", r"request of|own time|trace|GET|POST|PUT|DELETE|SELECT|INSERT|UPDATE"),
        (r"requests?|calls?|endpoints?|operations?|routes?|http|checkouts?", r"GET|POST|PUT|PATCH|requests|\bAPI\b"),
        (r"abort\w*|g[ai]ven?|up|cancel\w*|stop\w*|interrupt\w*|incomplete", r"abort|gave up"),
        (r"locks?|locked|blocked|blocking|contention|contend\w*|h[eo]ld\w*|waits?|waiting", r"lock|waiters"),
        (r"retr\w+|attempts?|tries|tried|exhausted|used|up|budget", r"retr|attempt"),
        (r"disks?|storage|volume|device|filesystem|spool", r"disk|no space left|storage"),
        (r"full|space", r"no space left|\bfull\b|% used|DiskPressure"),
        (r"busy|loaded|strained|stressed|hot|pressure|contended", r"wait|utili[sz]ation|\bcpu|usage|load"),
        (r"hang\w*|hung|stall\w*|stuck|block\w*|crawl\w*", r"response time|own time|took longer|lock|waits?"),
        (r"die[ds]?|dead|dying|crash\w*|exit\w*|quit\w*|terminat\w+|ended", r"exiting|exited|OOMKilled|SIGKILL|FATAL|[Tt]erminated|CrashLoop"),
        (r"kubelet|kubernetes|cluster|orchestrator|container\w*|pods?", r"\bpod\b|pod/|[Bb]ack-?[Oo]ff|container|Ready|kubelet"),
        (r"probes?|checks?|health\w*|unhealthy", r"probe"),
        (r"i/?o|disks?|reads?|writes?|wait\w*", r"io\.wait|disk\.io|\bI/O"),
        (r"refus\w+|den(?:y|ied|ies)|reject\w*|declin\w+|unreachable|unavailable|connect\w*", r"refused"),
        (r"gc|garbage|collect\w+|jvm|pauses?", r"\bgc\b|garbage"),
        (r"log|logs|logged|logging|lines?|entr(?:y|ies)|messages?|emit\w*|wr[io]t\w*|output|texts?|complain\w*|activity|issu\w+|returned|threw|says", r"logged|logging|\bline\b|\blines\b|ERROR|WARN|INFO"),
        (r"runbooks?|playbooks?|guides?|documents?|procedures?|instructions?|remed\w+|mitigat\w+|fix\w*|aid|stopgap|temporar\w+", r"runbook"),
        (r"similar\w*|past|precedents?|resembl\w+|history|historical|repeat\w*|seen|match\w*|duration", r"INC-\d+|postmortem|similar"),
        (r"restor\w+|recover\w*|resolv\w+|unresolved|fixed|closed|over|open|ongoing", r"resolved|; open\b"),
        (r"postmortems?|retrospectives?|past|back|similar\w*|earlier", r"postmortem|INC-\d+"),
        (r"replicas?|pods?|instances?|copies|ready|available|healthy|capacity", r"replica|\bpods?\b|ready"),
        (r"convert\w*|conver[st]\w*|pars\w+|format\w*|numeric|invalid", r"convert"),
        (r"flags?|toggles?|features?|enabled|disabled|turned|switched|on|off", r"flag|feature"),
        (r"rows?|records?|import\w*|jobs?|batch\w*", r"rows|import|batch"),
        (r"http|status|codes?|respon\w+|return\w*|answer\w*", r"\b[45]\d\d\b|Exit Code"),
        (r"free|available|left|space|room", r"no space left|in use"),
        (r"nodes?|hosts?|machines?", r"\bnode|\bhost"),
        (r"containers?|pods?", r"container|pod\b"),
        (r"searche?s?|searching", r"search"),
        (r"conclud\w+|due|hence", r"cause"),
        (r"users?|customers?|clients?", r"\busers?\b|customer|client"),
        (r"tables?|index\w*", r"\btable\b.*\bindex\b"),
        (r"checkouts?|purchases?|orders?", r"checkout"),
        (r"payments?|charges?|charging", r"charge"),
        (r"back|revert\w*|roll\w*|rollback\w*", r"\broll(?:ed)?(?: \w+){0,2} back\b|rollback"),
        (r"e-?mails?|mails?|mailing|send\w*|sent", r"mail|smtp"),
        (r"us(?:e|ed|es|age|ing)|in|occupied", r"in use|usage|used|utilization|_in_use"),
        (r"cpu|processor", r"cpu"),
        (r"surge|flat|jump|spike", r"Traffic at"),
        (r"port", r":\d{2,5}\b"),
    )
)  # fmt: skip

UP = re.compile(
    r"\b(?:rose|risen|rises?|rising|increas\w+|climb\w*|grew|grow\w*|jump\w*|spik(?:e|ed|es|ing)|surg(?:e|ed|es|ing)|soar\w*|rais(?:es|ed|ing)|shot|balloon\w*|explod\w+|skyrocket\w*|higher|slower|slowed"
    r"|slow(?:s|ing) down|doubl\w+|tripl\w+|quadrupl\w+|multipl(?:y|ied)|worsen\w*|degrad\w+|(?:got|gets|became|become|becomes|grew|are|is|were) (?:much |far |even )?(?:longer|larger|bigger|greater)|(?<=[%×] )(?:more|higher|longer)(?! than half)|more often|more than (?:the|before|usual)|up from|gain\w*|went up|goes up|(?:is|are) up|pil(?:ed|ing) up|fill(?:ed|ing|s)? up|escalat\w+|inflat\w+|elevated|deteriorat\w+|saw more|swell\w*|swollen"
    r"|accumulat\w+|shoot\w* up|overload\w*)\b",
    re.IGNORECASE,
)  # fmt: skip
DOWN = re.compile(
    r"\b(?:dropp?\w*|fell|fall\w*|decreas\w+|declin\w+|lower\w*|faster|sped up|speeds? up|reduc\w+|shr[aiu]nk\w*|collaps\w+|halv\w+|(?:got|gets|became|become|becomes|are|is|were) (?:much |far |even )?(?:shorter|smaller)|(?<=[%×] )(?:less|fewer|lower|shorter)|less often|(?:fewer|less) than (?:the|before|usual)|down from|went down|goes down|(?:is|are) down|plummet\w*|plung\w+"
    r"|tumbl\w+|diminish\w*|lessen\w*|subsid\w*|improv\w+|los(?:es|t|ing)(?= (?:\w+ )?(?:≈|\d|half|most|its))|sank|sink\w*|dwindl\w+|dip(?:s|ped)?|normali[sz]ed|idle)\b",
    re.IGNORECASE,
)  # fmt: skip
LEVEL = re.compile(
    r"\b(?:(?:stay(?:s|ed)?|remain(?:s|ed)?)(?! (?:\w+ )?(?:below|under|within \d|above|over|between))|unchanged|(?<!long )(?<!much )(?<!many )(?<!often )(?<!high )(?<!fast )as before|constant|stable|steady|flat|unaffected|no change|(?:changed|varied|moved) (?:little|hardly|barely)|hardly (?:changed|moved)|barely (?:changed|moved)"
    r"|(?:as|back to|is|are|was|were|at|looks?|within) (?:its |their |the )?(?:normal|usual|healthy)(?! (?:range|maximum|minimum|upper|value|limit|band|level)\w* of)|(?:did|do|does|has|have) not (?:change|move)d?|nothing unusual|not unusual)\b",
    re.IGNORECASE,
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,}")
_ENDING = re.compile(r"(?:ing|edly|ed|es|s|ly|e)$")
# Verbs of two words, which mean something else than the first of them alone.
_TWO_WORDS = (
    (re.compile(r"\bno longer\b", re.IGNORECASE), "no"),
    (re.compile(r"\btim(?:e|es|ed|ing)[ -]out\b", re.IGNORECASE), "timeout"),
    (re.compile(r"\bfail(?:s|ed|ing)?[ -]over\b", re.IGNORECASE), "overfail"),
    (
        re.compile(
            r"\bshut(?:s|ting)?[ -]down\b|\b(?:is|was|were|are|went|goes) down\b(?! (?:from|to|by|≈|\d))", re.IGNORECASE
        ),
        "shutdown",
    ),
    (re.compile(r"\b(?:log|sign)(?:s|ged|ged|ed|ging|ing)?[ -](?:in|on)\b", re.IGNORECASE), "login"),
    (
        re.compile(
            r"\b(?:log|sign)(?:s|ged|ed|ging|ing)?[ -](?:out|off)\b|\blogged (?:people|users) out\b", re.IGNORECASE
        ),
        "logout",
    ),
    (re.compile(r"\bscal(?:e|es|ed|ing)[ -](?:up|down|out|in)\b", re.IGNORECASE), "rescale"),
)
_NOT_WORDS = re.compile(r"\bp\d+\b|\b\d+(?:th|st|nd|rd)\b", re.IGNORECASE)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return what a word's forms have in common, nearly: "dropped" and "drops" are "drop", "evicting" and "evictions" "evict"."""
    word = word.lower()
    if word.endswith("ies") and len(word) > 4:
        word = f"{word[:-3]}y"
    short = _ENDING.sub("", word) if len(word) > 3 else word
    if len(short) > 3 and short[-1] == short[-2] and short[-1] not in "sl":
        short = short[:-1]
    return (short if len(short) >= 2 else word)[:5]


def words(text: str) -> list[str]:
    """Return the words of a text, without digits and without names of percentiles, in order."""
    for pattern, one in _TWO_WORDS:
        text = pattern.sub(one, text)
    return _WORD.findall(_NOT_WORDS.sub(" ", text))


@lru_cache(maxsize=4_000)
def is_plain(word: str) -> bool:
    """Return whether a word states nothing of its own."""
    lower = word.lower()
    return lower in _PLAIN or bool(UP.fullmatch(lower) or DOWN.fullmatch(lower) or LEVEL.fullmatch(lower))


def means_something_in(word: str, evidence: str) -> bool:
    """Return whether the evidence speaks of what the word names, in another word for it."""
    return any(said.fullmatch(word) and there.search(evidence) for said, there in _SAME)
