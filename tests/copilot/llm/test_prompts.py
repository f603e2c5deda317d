from copilot.llm.prompts import estimate_tokens, marker, render


def test_prompts_are_not_escaped() -> None:
    text = render("answer/1/question.txt", question="is a < b & c?", marker="m")
    assert "Question: is a < b & c?" in text


def test_the_marker_is_the_same_for_the_same_bundle_and_secret(settings: object) -> None:
    assert marker("bundle 1") == marker("bundle 1")
    assert marker("bundle 1") != marker("bundle 2")
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    before = marker("bundle 1")
    settings.SECRET_KEY = "one more"  # type: ignore[attr-defined]
    assert marker("bundle 1") != before


def test_tokens_are_estimated_as_models_count_them() -> None:
    """The expected numbers are those of Qwen2.5's tokenizer."""
    line = "payments logged “connection pool exhausted: timeout after 3000 ms waiting for connection” 412 times during the incident, first at 02:44:03, and never in the window before."
    assert abs(estimate_tokens(line) - 47) <= 5
    rules = "You are the incident co-pilot. Use only the evidence below. Copy numbers, times and service names exactly as they are written there."
    assert abs(estimate_tokens(rules) - 28) <= 3
