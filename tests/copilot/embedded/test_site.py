import os
from pathlib import Path

from copilot.embedded import addresses, site


def test_our_own_processes_are_forked(tmp_path: Path) -> None:
    plan = site.Plan(
        var=tmp_path,
        database_url="postgresql://elsewhere/copilot",
        redis_url="redis://elsewhere/0",
        broker_url="redis://elsewhere/0",
        chroma_url=addresses.chroma_url(tmp_path),
        llm="none",
        model_file=tmp_path / "model.gguf",
        web_host="127.0.0.1",
        web_port=8000,
        variables={"COPILOT_PORT": "8000"},
    )
    own = [component.program for component in site.components(plan) if component.program.name != "chroma"]
    assert {program.name for program in own} == {"prepare", "web", "worker", "worker-answers", "worker-embed", "relay"}
    assert all(callable(program.command) for program in own)  # forked from the supervisor, with its settings


def test_no_model_hub_is_asked() -> None:
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["TOKENIZERS_PARALLELISM"]) == ("1", "false")
