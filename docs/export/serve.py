"""Tags texts over HTTP by a model that `to_onnx` made, with onnxruntime and NumPy alone.

python serve.py model.onnx
curl --data '["a late goal", "talks on tax"]' http://127.0.0.1:8000
"""

import json
import re
import sys
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime

PADDING, UNKNOWN, FIRST_TOKEN = 0, 1, 2
LONGEST_REQUEST = 1_000_000  # bytes


class Tagger:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.classes = json.loads(metadata["classes"])
        self.ids = {token: i for i, token in enumerate(json.loads(metadata["vocabulary"]), FIRST_TOKEN)}
        self.tokenization = json.loads(metadata["tokenization"])
        if self.tokenization is None:
            raise ValueError("A function made this model's tokens; write it into tokens_of.")

    def tokens_of(self, text):
        options = self.tokenization
        if options["lowercase"]:
            text = text.lower()
        if options["strip_accents"]:
            text = unicodedata.normalize("NFKD", text)
            if options["strip_accents"] == "ascii":
                text = text.encode("ascii", "ignore").decode("ascii")
            text = "".join(c for c in text if not unicodedata.combining(c))
        return (
            list(text) if options["analyzer"] == "char" else re.findall(options["token_pattern"], text)
        )

    def tag(self, texts):
        """Return the labels of each text, and their probabilities."""
        rows = [[self.ids.get(token, UNKNOWN) for token in self.tokens_of(text)] for text in texts]
        ids = np.full((len(rows), max(map(len, rows))), PADDING, np.int32)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
        scores, decisions = self.session.run(["probabilities", "decisions"], {"ids": ids})
        return [
            [[self.classes[label], float(row[label])] for label in np.flatnonzero(chosen)]
            for row, chosen in zip(scores, decisions, strict=True)
        ]


class Handler(BaseHTTPRequestHandler):
    tagger: Tagger

    def do_POST(self):
        try:
            n_bytes = int(self.headers["Content-Length"])
            if not 0 < n_bytes <= LONGEST_REQUEST:
                raise ValueError
            texts = json.loads(self.rfile.read(n_bytes))
            if not (isinstance(texts, list) and texts and all(isinstance(x, str) for x in texts)):
                raise ValueError
        except (TypeError, ValueError):
            return self.answer(400, {"error": "Send a list of texts as JSON, of a megabyte at most."})
        return self.answer(200, self.tagger.tag(texts))

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def make_server(path, port=8000):
    handler = type("TaggingHandler", (Handler,), {"tagger": Tagger(path)})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    make_server(sys.argv[1]).serve_forever()
