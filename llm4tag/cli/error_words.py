"""Errors in the words of the command line: options are flags, steps are commands to run."""

from llm4tag.schema.errors import Llm4tagError, Spelling, Step

FLAGS = {
    "use_llm": "--no-llm",
    "answer_cache": "--no-cache",
    "output": "-o",
}
"""Flags whose names differ from the names of the options, and variables where there is no flag."""
COMMANDS = {
    Step.MAKE_STORE: "llm4tag store init --store {store}",
    Step.INGEST_VOCABULARY: "llm4tag ingest vocabulary FILE --store {store}",
    Step.INGEST_HISTORY: "llm4tag ingest history FILE --store {store}",
    Step.MOVE_STORE: "llm4tag store export FILE",
    Step.MIGRATE_STORE: "llm4tag store init --store {store}",
    Step.EMBED_STORE: "llm4tag store embed --embedding {embedding} --store {store}",
    Step.FIT_RECALL: "llm4tag store fit",
    Step.CALIBRATE: "llm4tag calibrate FILE",
    Step.TAG_CONTENTS: "llm4tag tag FILE",
    Step.PULL_MODEL: "llm4tag model pull {model}",
    Step.MERGE_ADAPTER: "llm4tag train merge {adapter}",
    Step.EXPORT_EXAMPLES: "llm4tag train export FILE",
    Step.LIST_PROFILES: "llm4tag profiles list",
    Step.ADD_KEY: "llm4tag keys add NAME",
    Step.INSTALL_LOCAL: "pip install 'llm4tag[local]'",
    Step.INSTALL_SERVE: "pip install 'llm4tag[serve]'",
    Step.INSTALL_TRACE: "pip install 'llm4tag[trace]'",
    Step.INSTALL_REPORT: "pip install 'llm4tag[report]'",
    Step.INSTALL_TRAIN: "pip install 'llm4tag[train]'",
    Step.INSTALL_READERS: "pip install llama-index-readers-file",
}
"""The command of each step, or the installation; ``{store}`` and the like are details of the error."""
UNKNOWN_DETAILS = {"store": "STORE", "model": "NAME", "adapter": "DIR", "embedding": "NAME"}
"""What a command shows in place of a detail that the error does not have."""


class CommandLine(Spelling):
    """Spells options and steps as a user types them."""

    def option(self, name: str) -> str:
        """Return the flag of an option."""
        return FLAGS.get(name, f"--{name.replace('_', '-')}")

    def step(self, step: Step, details: dict[str, str]) -> str:
        """Return a step in words with the command that takes it."""
        command = COMMANDS[step].format_map(UNKNOWN_DETAILS | details)
        return f"{step.value} (`{command}`)"


def in_words(error: Exception) -> str:
    """Return an error's message as a user of the command line reads it; others than llm4tag's with their kind."""
    if isinstance(error, Llm4tagError):
        return error.message(CommandLine())
    return f"{type(error).__name__}: {error}"
