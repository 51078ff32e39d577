"""The comparison of two servers, or of two runs: is one slower, by how much, and how sure is that?"""
