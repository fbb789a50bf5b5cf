"""The embedded sample."""

from sktextcnn.datasets._news_tags import load_news_tags

__all__ = ["load_news_tags"]
