"""ROBOTS.TXT: what an answer means, the lines for one robot, and how they match a URL (RFC 9309). Pure."""
