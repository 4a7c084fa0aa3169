"""Fine-tuning of the yes/no judge with LoRA; PyTorch is imported only when something is trained."""
