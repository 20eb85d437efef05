"""``report.html``: a comparison as one page that needs nothing but a browser, and no network."""

from litgrid.evaluation.html.page import write

__all__ = ["write"]
