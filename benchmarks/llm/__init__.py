"""The LLM under several configurations on the same documents, from known answers or asked now."""
