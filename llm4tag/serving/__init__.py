"""The tagging graph behind LangGraph's server: its configuration, keys, routes, health and log lines."""
