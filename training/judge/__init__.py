"""Fine-tuning the yes/no judge with LoRA; PyTorch is imported when something is trained."""
