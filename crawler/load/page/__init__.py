"""The report of a load test as one self-contained HTML page: no script, no network, charts as SVG made here."""
