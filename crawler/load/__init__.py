"""CONDUCTS a load test of a local server: when to send, what came back, and who was the limit."""
