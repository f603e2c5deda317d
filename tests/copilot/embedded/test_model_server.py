from pathlib import Path

import httpx
import pytest

from copilot.embedded import model_server


def test_a_file_that_is_not_there_is_named_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = model_server.main(file=tmp_path / "other.gguf", port=1, fetch=False)
    assert status == model_server.GAVE_UP
    assert "other.gguf does not exist" in caplog.text
    assert "COPILOT_LLM_FILE" in caplog.text


def test_nobody_there_is_a_reason_not_an_error() -> None:
    assert "refused" in str(model_server.why_not_ready("http://127.0.0.1:1"))


@pytest.mark.local_model
def test_the_real_model_answers_in_the_open_ai_protocol(local_model_url: str) -> None:
    assert model_server.why_not_ready(local_model_url.removesuffix("/v1")) is None
    models = httpx.get(f"{local_model_url}/models", timeout=10, trust_env=False).json()
    assert [each["id"] for each in models["data"]] == [model_server.ALIAS]
    question = {"model": model_server.ALIAS, "max_tokens": 5, "messages": [{"role": "user", "content": "Say yes."}]}
    answer = httpx.post(f"{local_model_url}/chat/completions", json=question, timeout=120, trust_env=False).json()
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] > 0
