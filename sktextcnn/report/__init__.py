"""An evaluation as a page for the browser."""

from sktextcnn.report.page import write_report

__all__ = ["write_report"]
