from copilot.evidence.attached.files import AttachedFile
from copilot.evidence.attached.states import State, is_document, states_of

POD = """Name:             mailer-5f7
Namespace:        shop
Containers:
  sender:
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
    Ready:          False
    Restart Count:  4
Conditions:
  Type              Status
  Initialized       True
  Ready             False
  MemoryPressure    False
Tolerations:                 node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type     Reason   Age                From     Message
  ----     ------   ----               ----     -------
  Warning  BackOff  10s (x2 over 11s)  kubelet  Back-off restarting failed container sender
"""
CLUSTER = """{
  "partitions_detected": true,
  "nodes": [
    {
      "name": "broker-0",
      "running": false,
      "mem_alarm": false
    },
    {
      "name": "broker-1",
      "running": true,
      "unreachable": [
        "broker-0"
      ],
      "alarms": []
    }
  ]
}"""


def states(text: str) -> list[State]:
    return states_of(AttachedFile("file.txt", tuple(text.splitlines())))


def test_a_described_pod_gives_the_reason_the_exit_code_and_what_they_mean() -> None:
    first, *others = states(POD)
    assert first.subject == "Containers / sender"
    assert "OOMKilled (killed because it used more memory than its limit)" in first.text
    assert "Exit Code 137" in first.text
    assert (first.line, first.last) == (6, 11)
    assert [state.text for state in others] == [
        "Ready is False",
        "Warning BackOff: Back-off restarting failed container sender",
    ]


def test_a_document_gives_true_alarms_false_health_and_lists_of_trouble_with_whose_they_are() -> None:
    assert [(state.subject, state.text, state.line) for state in states(CLUSTER)] == [
        ("", "partitions_detected is true", 2),
        ("broker-0", "running is false", 6),
        ("broker-1", "unreachable holds broker-0", 12),
    ]


def test_what_is_well_says_nothing() -> None:
    assert states('{\n "status": "ok",\n "ready": true,\n "errors": 0,\n "error": null\n}') == []


def test_a_description_is_told_from_a_log() -> None:
    assert is_document(AttachedFile("a", tuple(POD.splitlines())))
    assert is_document(AttachedFile("a", tuple(CLUSTER.splitlines())))
    assert not is_document(
        AttachedFile("a", ("2026-03-01 10:00:00 INFO app: started", "2026-03-01 10:00:01 INFO app: ready"))
    )
    assert not is_document(AttachedFile("a", ('{"level": "info", "msg": "x"}', '{"level": "info", "msg": "y"}')))
