"""AWS's side of the wire, driven by botocore's service models: requests in, answers and event streams out."""
