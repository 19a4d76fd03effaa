"""Suites of guardrail tests: texts with what should become of them, checked, measured and compared."""
