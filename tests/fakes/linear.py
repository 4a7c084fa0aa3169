"""A linear scorer that was fitted on two contents."""

from llm4tag.tools.linear_model import LinearModel
from llm4tag.training.linear_fit import fit_linear
from llm4tag.training.tagged_history import History
from tests.fakes.priors import FITTED


def linear() -> LinearModel:
    """Return a linear scorer that knows little."""
    history = History(["1", "2"], ["mail reader", "mail server"], [("mail",), ("mail", "net")], None)
    return fit_linear(history, FITTED).model
