"""A saved classifier behind HTTP.

MODEL=model uvicorn app:app
"""

import os

from fastapi import FastAPI
from pydantic import BaseModel, Field

import sktextcnn

clf = sktextcnn.load(os.environ.get("MODEL", "model"))  # once, when the service starts
app = FastAPI(title="Tags for texts")


class Texts(BaseModel):
    """What is asked: some texts, and not too much of them at once."""

    texts: list[str] = Field(min_length=1, max_length=1000)


@app.post("/tags")
def tag(request: Texts) -> list[dict[str, float]]:
    """Return the labels of each text, with their probabilities."""
    labels = clf.predict_labels(request.texts)
    columns = dict(zip(clf.classes_, clf.predict_proba(request.texts).T, strict=True))
    return [{str(name): columns[name][i] for name in names} for i, names in enumerate(labels)]
