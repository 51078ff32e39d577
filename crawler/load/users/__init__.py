"""USERS of a load test: stages of users, think time, cookies, a log-in, steps in order, and scripts."""
