"""LLMs on this machine: the known models, the download of their files, and the server that runs them."""
