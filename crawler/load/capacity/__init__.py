"""The capacity of a server: the highest rate at which it keeps a service level."""
