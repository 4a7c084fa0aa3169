"""The nodes of the tagging graph: async verbs that take state and runtime and return a partial update."""
