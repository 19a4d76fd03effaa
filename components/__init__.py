"""What a page draws: one module per visual idea. Components never call AWS."""
