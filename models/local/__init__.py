"""LLMs on this machine: which are known, how their files get here, the server that runs them."""
