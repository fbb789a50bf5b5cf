// Texts -> token ids -> labels, by a model that `to_onnx` made and its metadata as one JSON object.

const PADDING = 0, UNKNOWN = 1, FIRST_TOKEN = 2;

// What the default token_pattern, \w+|[^\w\s], means in Python: other characters are words to \w and
// blanks to \s than in JavaScript.
const DEFAULT_PATTERN = "\\w+|[^\\w\\s]";
const TOKENS =
  /[\p{L}\p{N}_]+|[^\p{L}\p{N}_\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/gu;

export function tokenize(text, options) {
  if (options === null || options.strip_accents === "unicode" ||
      (options.analyzer !== "char" && options.token_pattern !== DEFAULT_PATTERN)) {
    throw new Error("This model's tokens are made in a way that is not written down here; add it.");
  }
  if (options.lowercase) text = text.toLowerCase();
  if (options.strip_accents === "ascii") text = text.normalize("NFKD").replace(/[^\0-\x7f]/g, "");
  return options.analyzer === "char" ? [...text] : text.match(TOKENS) ?? [];
}

export class Tagger {
  // `ort` is onnxruntime-web, or another with the same interface; `model` is a path or the bytes.
  static async load(ort, model, metadata) {
    return new Tagger(ort, await ort.InferenceSession.create(model), metadata);
  }

  constructor(ort, session, metadata) {
    Object.assign(this, { ort, session, metadata });
    this.ids = new Map(metadata.vocabulary.map((token, i) => [token, i + FIRST_TOKEN]));
  }

  // The probability of each label, and whether it is chosen, of every text: the order is that of classes.
  async tag(texts) {
    const rows = texts.map((text) =>
      tokenize(text, this.metadata.tokenization).map((token) => this.ids.get(token) ?? UNKNOWN));
    const width = Math.max(1, ...rows.map((row) => row.length));
    const ids = new Int32Array(rows.length * width).fill(PADDING);
    rows.forEach((row, i) => ids.set(row, i * width));
    const feeds = { ids: new this.ort.Tensor("int32", ids, [rows.length, width]) };
    const { probabilities, decisions } = await this.session.run(feeds);
    const k = this.metadata.classes.length;
    return rows.map((_, i) => this.metadata.classes.map((label, j) => ({
      label,
      probability: probabilities.data[i * k + j],
      chosen: Boolean(decisions.data[i * k + j]),
    })));
  }
}
