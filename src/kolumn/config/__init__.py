"""The .kl language: parse, evaluate, format, write."""
