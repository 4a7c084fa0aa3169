"""The tagging flow as a LangGraph state machine."""
