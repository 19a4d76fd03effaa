"""A Bedrock-compatible endpoint on 127.0.0.1: AWS's wire in front of a model that runs on this machine.

Start it with ``python -m localbedrock``; any AWS SDK reaches it through the config files it writes.
"""
