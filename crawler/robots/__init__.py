"""ROBOTS.TXT: the meaning of an answer, the groups for one robot, and the matching of URLs (RFC 9309). Pure."""
