"""What every task shares, without any task's own word."""
