"""Files of targets: from a file's lines to requests that the loops of a load test send, in order or by their times."""
