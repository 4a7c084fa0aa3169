"""The first round of recall and the steps of the LLM, by the options and what the store holds."""

from typing import NamedTuple

from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.resources import Resources
from llm4tag.graphs.state import TaggingState
from llm4tag.graphs.steps import Steps, steps_for
from llm4tag.tools.plan import RecallPlan
from llm4tag.tools.recipe import first_plan


class Planned(NamedTuple):
    """A plan, and the history that it was made for."""

    tagged_contents: int
    """How many contents people had tagged."""
    plan: RecallPlan
    steps: Steps


async def planned(options: TagOptions, resources: Resources) -> Planned:
    """Plan the first round, and the steps of all.

    Raises:
        UsageError: the fitted fusion is wanted, and there is none that fits.
    """
    tagged = (await resources.store.statistics()).tagged_contents
    plan = first_plan(tagged, await resources.fitted(), options.settings().recipe, options.without)
    return Planned(tagged, plan, steps_for(options, resources.profile.steps, plan, tuned=resources.tuned))


def planned_in(state: TaggingState) -> Planned:
    """Return what ``prepare`` planned, or a later round made of it."""
    return Planned(state["tagged_contents"], state["plan"], state["steps"])
