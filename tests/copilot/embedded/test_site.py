from pathlib import Path

from copilot.embedded import addresses, site


def test_our_own_processes_ask_no_model_hub_and_take_what_is_given(tmp_path: Path) -> None:
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
    for program in own:
        given = dict(program.variables)
        assert (given["HF_HUB_OFFLINE"], given["TOKENIZERS_PARALLELISM"]) == ("1", "false")
        assert given["COPILOT_PORT"] == "8000"
