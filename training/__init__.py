"""What is fitted: on a store's history the linear scorer and the fusion of evidence, on labels the calibrator."""
