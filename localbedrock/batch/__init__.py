"""Batch inference: jobs that read records from S3, ask a model one by one, and write the answers to S3."""
