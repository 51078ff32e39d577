"""TRACES a run in bounded memory, writes the trace for Perfetto, and draws it as a page or a picture.

The page and the picture share the rows of `reader.py` and the colours and sentences of `words.py`; the trace file is
their only input. The page is for zooming in a browser, the picture for documents.
"""
