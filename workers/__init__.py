"""Workers: pull jobs, run them, report back."""
