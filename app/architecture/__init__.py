"""What a genotype means."""
