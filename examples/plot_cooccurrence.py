"""
Labels that come together
=========================

Of the texts with the label of a row, what share has that of a column, too? Worth a look before
training: labels that always come together are one label.
"""

from sktextcnn.datasets import load_news_tags
from sktextcnn.plotting import CooccurrenceDisplay

news = load_news_tags()

# %%
# Here no two labels are nearly the same.

CooccurrenceDisplay.from_labels(news.tags)
