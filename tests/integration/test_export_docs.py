"""What the page about export shows: the server, and the browser's tokens."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import unicodedata
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given

from sktextcnn.text.tokens import build_tokenizer
from tests.examples import TAGS, TEXTS, eager
from tests.strategies import texts

EXPORT = Path(__file__).parents[2] / "docs" / "export"


@pytest.fixture(scope="module")
def serve():
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    spec = importlib.util.spec_from_file_location("serve", EXPORT / "serve.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(clf, folder):
    path = folder / "model.onnx"
    path.write_bytes(clf.to_onnx().SerializeToString())
    return path


def test_the_server_tags_as_the_classifier_does(serve, tmp_path):
    clf = eager().fit(TEXTS, TAGS)
    server = serve.make_server(write(clf, tmp_path), port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def send(body):
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}", body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    try:
        found = send(json.dumps([*TEXTS, ""]).encode())
        for body in (b"", b"no JSON", b"[]", b'"a text"', b"[1]", b"\xff"):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                send(body)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [tuple(label for label, _ in row) for row in found] == clf.predict_labels([*TEXTS, ""])
    column = {label: j for j, label in enumerate(clf.classes_)}
    for row, scores in zip(found, clf.predict_proba([*TEXTS, ""]), strict=True):
        for label, score in row:
            assert score == pytest.approx(scores[column[label]], abs=1e-5)


TOKENIZATIONS = [
    {},
    {"lowercase": False},
    {"strip_accents": "ascii"},
    {"strip_accents": "unicode"},
    {"analyzer": "char"},
    {"token_pattern": r"\w(\w)"},
]


@pytest.mark.parametrize("options", TOKENIZATIONS, ids=str)
def test_the_server_makes_the_same_tokens(serve, options):
    tagger = serve.Tagger.__new__(serve.Tagger)
    defaults = {"analyzer": "word", "lowercase": True, "strip_accents": None}
    tagger.tokenization = {**defaults, "token_pattern": r"\w+|[^\w\s]", **options}

    @given(texts())
    def agree(text):
        assert tagger.tokens_of(text) == build_tokenizer(**options)(text)

    agree()


def test_the_server_refuses_a_model_whose_tokens_a_function_makes(serve, tmp_path):
    clf = eager(tokenizer=str.split, epochs=1).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="A function made this model's tokens"):
        serve.Tagger(write(clf, tmp_path))


# -- JavaScript ---------------------------------------------------------------------------------------

DRIVER = """
import { Tagger, tokenize } from %s;
let given = "";
for await (const part of process.stdin) given += part;
const { texts, options } = JSON.parse(given);
// Instead of a model: the ids themselves, as the probabilities of that many labels.
const ort = {
  Tensor: class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } },
  InferenceSession: { create: async () => ({
    run: async ({ ids }) => ({ probabilities: ids, decisions: { data: ids.data.map((id) => id > 1) } }),
  }) },
};
const width = Math.max(1, ...texts.map((text) => tokenize(text, options).length));
const classes = [...Array(width).keys()], vocabulary = ["a", "constructor"];
const metadata = { classes, vocabulary, tokenization: options };
const tagged = await (await Tagger.load(ort, "", metadata)).tag(texts);
console.log(JSON.stringify({
  tokens: texts.map((text) => tokenize(text, options)),
  ids: tagged.map((row) => row.map((x) => x.probability)),
  chosen: tagged.map((row) => row.map((x) => x.chosen)),
}));
"""


def run_node(given, **options):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    defaults = {"analyzer": "word", "lowercase": True, "strip_accents": None}
    options = {**defaults, "token_pattern": r"\w+|[^\w\s]", **options}
    script = DRIVER % json.dumps((EXPORT / "textcnn.mjs").as_uri())
    done = subprocess.run(
        [node, "--input-type=module", "--eval", script],
        input=json.dumps({"texts": given, "options": options}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "options", [{}, {"lowercase": False}, {"strip_accents": "ascii"}, {"analyzer": "char"}], ids=str
)
def test_javascript_makes_the_same_tokens(options):
    """Of every character that this version of Python knows, alone and between others."""
    characters = [
        chr(i) for i in range(sys.maxunicode + 1) if unicodedata.category(chr(i)) not in ("Cn", "Cs")
    ]
    step = 500
    given = ["".join(characters[i : i + step]) for i in range(0, len(characters), step)]
    given += [" ".join(text) for text in given]
    given += [
        "Na\u00efve C# 3.5, l'eau!",
        "\u039f\u0394\u039f\u03a3 \u0130I",
        "\ud800 \U0001f469\u200d\U0001f680",
    ]
    tokens = run_node(given, **options)["tokens"]
    tokenize = build_tokenizer(**options)
    for text, found in zip(given, tokens, strict=True):
        assert found == list(tokenize(text))


def test_javascript_pads_ids_and_reads_scores_row_by_row():
    found = run_node(["A constructor", "", "toString a __proto__"])
    assert found["ids"] == [[2, 3, 0], [0, 0, 0], [1, 2, 1]]
    assert found["chosen"] == [[True, True, False], [False] * 3, [False, True, False]]


@pytest.mark.parametrize("options", [{"strip_accents": "unicode"}, {"token_pattern": r"\w+"}], ids=str)
def test_javascript_refuses_what_it_cannot_do(options):
    with pytest.raises(RuntimeError, match="made in a way that is not written down here"):
        run_node(["a"], **options)
