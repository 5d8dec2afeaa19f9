// The networks of the files that `experiments.py export NETWORK.bin` makes: one that writes and one
// that reads. They compute what Python's do; see model/generation and model/recognition.

import { even, Kernels, LAYER, padded, UserError, WRITING } from "./engine.js";
import { features } from "./features.js";
import { TorchRandom } from "./random.js";
import { Stopping } from "./stopping.js";

const FORMAT = "online-handwriting/1";
const PERIOD = 16; // steps of a call, after which resting pens are looked for
const BLOCK = 256; // steps for which random numbers are drawn at once
const PEN_PIVOT = -1.5; // log-odds of ends that a bias leaves as they are
const [KERNEL, STRIDE] = [5, 2]; // of the convolution
const GATES = [0, 1, 3, 2]; // torch has an LSTM's candidate before its output gate

// Returns the header of a file and its tensors by name, as flat arrays.
export async function parse(bytes, name) {
  const damaged = (what) => new UserError(`${name} ${what}: export it again.`);
  const end = bytes.indexOf(10);
  let header = null;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, Math.max(end, 0))));
  } catch {
    throw damaged("is no network of this page");
  }
  if (header?.format !== FORMAT) throw damaged("is no network of this version of the page");
  const payload = bytes.slice(end + 1);
  if (payload.length !== header.bytes)
    throw damaged(`is incomplete, ${payload.length} of ${header.bytes} bytes`);
  if (globalThis.crypto?.subtle) { // which only secure origins have
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", payload));
    const sum = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (sum !== header.sha256) throw damaged("is damaged");
  }
  const tensors = {};
  let at = 0;
  for (const [tensor, kind, rows, ...others] of header.tensors) {
    const columns = others.reduce((all, count) => all * count, 1);
    const floats = kind === "int8" ? rows : rows * columns; // the scales, or all
    tensors[tensor] = new Float32Array(payload.slice(at, (at += 4 * floats)).buffer);
    if (kind !== "int8") continue;
    const [scales, matrix] = [tensors[tensor], new Float32Array(rows * columns)];
    const numbers = new Int8Array(payload.buffer, at, matrix.length);
    for (let i = 0; i < matrix.length; i++) matrix[i] = numbers[i] * scales[(i / columns) | 0];
    tensors[tensor] = matrix;
    at += matrix.length;
  }
  return { header, tensors };
}

// Parts [matrix, its columns, from, to] of matrices of as many rows beside each other.
function beside(rows, ...parts) {
  const all = parts.map(([data, columns, from = 0, to = columns]) => ({ data, columns, from, to }));
  const width = all.reduce((sum, { from, to }) => sum + to - from, 0);
  const found = new Float32Array(rows * width);
  for (let row = 0, at = 0; row < rows; row++)
    for (const { data, columns, from, to } of all) {
      found.set(data.subarray(row * columns + from, row * columns + to), at);
      at += to - from;
    }
  return found;
}

function reversed(data, columns) {
  const found = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += columns)
    found.set(data.subarray(at, at + columns), data.length - at - columns);
  return found;
}

// A layer of LSTM cells, packed; the weights are of the hidden state first.
function layer(kernels, weights, bias) {
  const [rows, columns] = [bias.length, weights.length / bias.length];
  const width = even(columns);
  const pads = width - columns;
  const all = beside(rows, [weights, columns], [new Float32Array(rows * pads), pads]);
  return {
    ...{ size: rows / 4, width, weights: kernels.pack(all, width, 4) },
    bias: kernels.alloc(rows, bias),
  };
}

// The same of a layer of torch, whose gates and inputs [from, to] have another order.
function torchLayer(kernels, tensors, name, order = null) {
  const [incoming, hidden, bias, other] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    .map((kind) => {
      const parameters = tensors[`${name}.layer.${kind}_l0`];
      const share = parameters.length / 4;
      const found = parameters.slice();
      GATES.forEach((from, to) =>
        found.set(parameters.subarray(from * share, (from + 1) * share), to * share));
      return found;
    });
  const inputs = incoming.length / bias.length;
  const seen = (order ?? [[0, inputs]]).map((range) => [incoming, inputs, ...range]);
  const weights = beside(bias.length, [hidden, bias.length / 4], ...seen);
  return layer(kernels, weights, bias.map((value, i) => value + other[i]));
}

// Writes a text: Python's SynthesisNetwork of LSTM cells that says itself where a line ends.
// A line begins with `begin`, and `write` draws it, once or several times.
export class Writer {
  constructor(module, { header, tensors }) {
    const kernels = new Kernels(module);
    const of = (name) => tensors[`layers.0.${name}`];
    const [rows, vocabSize] = [of("bias").length, [...header.alphabet].length];
    const [size, inputs] = [rows / 4, of("weight_input").length / rows];
    Object.assign(this, { header, kernels, size, vocabSize, inputs, tensors });
    const own = [["hidden", size], ["window", vocabSize], ["input", inputs]]
      .map(([name, columns]) => [of(`weight_${name}`), columns]);
    this.layers = [layer(kernels, beside(rows, ...own), of("bias"))];
    const below = inputs + vocabSize;
    const order = [[below, below + size], [inputs, below], [0, inputs]];
    for (let number = 1; `layers.${number}.layer.bias_ih_l0` in tensors; number++)
      this.layers.push(torchLayer(kernels, tensors, `layers.${number}`, order));
    this.components = of("window.bias").length / 3;
    this.window_weights = kernels.pack(of("window.weight"), size);
    this.window_bias = kernels.alloc(padded(3 * this.components), of("window.bias"));
    this.top = kernels.c.mark();
  }

  // Begin a line after a primer's ink, the first `primed` characters of the text; without a primer
  // after one point of zeros. See sampling._begin.
  begin(ink, text, primed, { bias, stretch }) {
    const { kernels, components } = this;
    kernels.c.release(this.top); // of the line before
    this.text = text;
    this.#allocate(bias, stretch);
    const [first, ...others] = this.#normalised(ink);
    this.point = first;
    this.#place(first);
    for (const point of others) this.step(point);
    if (primed) {
      const phi = kernels.floats(this.phis, text.length + 1);
      const half = phi.reduce((sum, value) => sum + value, 0) / 2;
      let [middle, reached] = [0, phi[0]];
      while (reached < half) reached += phi[++middle];
      const kappas = kernels.floats(this.kappas, components);
      kappas.set(kappas.map((kappa) => kappa + primed - middle));
    }
    this.start = { parity: this.parity, bias, state: kernels.floats(...this.state).slice() };
  }

  // Take a step, after which the line goes on with a point that is given, normalised.
  step(point) {
    this.#run(1);
    this.point = point;
    this.#place(point);
  }

  // Draw the points of the line. Yields the ink of some steps at a time, and returns {steps,
  // ended}: how many of them count, and whether the line is complete.
  *write(seed, limit) {
    const { kernels, inputs, start, text } = this;
    kernels.floats(...this.state).set(start.state);
    kernels.floats(this.bias, 1)[0] = start.bias;
    this.parity = start.parity;
    const stopping = new Stopping(this.header, text, limit, this.point);
    const random = new TorchRandom(seed);
    let numbers = [];
    for (let first = 0, on = true; on && first < limit; first += PERIOD) {
      if (first % BLOCK === 0) numbers = [random.uniform(2 * BLOCK), random.normal(2 * BLOCK)];
      const from = 2 * (first % BLOCK);
      [this.uniform, this.normal].forEach((place, i) =>
        kernels.floats(place, 2 * PERIOD).set(numbers[i].subarray(from, from + 2 * PERIOD)));
      const steps = Math.min(PERIOD, limit - first);
      this.#run(steps);
      const rows = (array, columns) => Array.from({ length: steps }, (_, step) =>
        kernels.floats(array + 4 * step * columns, columns).slice());
      const [points, phis] = [rows(this.points, inputs), rows(this.phis, text.length + 1)];
      if (stopping.atRest(points)) kernels.floats(this.bias, 1)[0] /= 2;
      on = stopping.feed(points, phis.map((phi) => phi.indexOf(Math.max(...phi))));
      yield this.#ink(points);
    }
    return stopping.end();
  }

  #run(steps) {
    this.kernels.set(WRITING, this.writing, { steps, parity: this.parity });
    this.kernels.run("write_lines", this.writing);
    this.parity = (this.parity + steps) % 2;
  }

  // What all layers see of a point at the next step.
  #place(point) {
    this.layers.forEach(({ width }, number) => {
      const at = this.joints[number] + 4 * (this.parity * width + this.size * (number ? 2 : 1));
      this.kernels.floats(at + 4 * this.vocabSize, this.inputs).set(point);
    });
  }

  // Make room for a line, as the structure of sampling.c has it; all states are zeros.
  #allocate(bias, stretch) {
    const { kernels, size, layers, vocabSize, components, text, inputs, header } = this;
    const { sampling } = header;
    const [count, places] = [layers.length, text.length + 1];
    const widths = layers.map(({ width }) => width);
    const output = this.#output(stretch);
    // What a step changes lies together, so that it can be copied.
    const sizes = [...widths.map((width) => 2 * width), count * size, components];
    const all = kernels.alloc(sizes.reduce((sum, one) => sum + one, 0));
    this.state = [all, sizes.reduce((sum, one) => sum + one, 0)];
    let end = all;
    const [cells, kappas, ...joints] = [...sizes.slice(count), ...sizes.slice(0, count)]
      .map((one) => (end += 4 * one) - 4 * one);
    const arrays = {
      ...{ cells, kappas, bias: kernels.alloc(1, [bias]), raw: kernels.alloc(padded(output.rows)) },
      ...{ uniform: kernels.alloc(2 * PERIOD), normal: kernels.alloc(2 * PERIOD) },
      ...{ points: kernels.alloc(PERIOD * inputs), phis: kernels.alloc(PERIOD * places) },
    };
    Object.assign(this, arrays, { joints, parity: 0 });
    this.writing = kernels.structure(WRITING, {
      ...{ batch: 1, layers: count, size, vocab_size: vocabSize, components, places, lstm: 1 },
      ...{ mixtures: Math.floor(output.rows / 6), threads: 1, ends: inputs - 3 },
      log_min_scale_x: Math.log(sampling.min_scales[0]),
      log_min_scale_y: Math.log(sampling.min_scales[1]),
      ...{ max_correlation: sampling.max_correlation, pen_sharpness: sampling.pen_sharpness },
      ...{ pen_pivot: PEN_PIVOT, window_weights: this.window_weights },
      ...{ window_bias: this.window_bias, output_weights: output.weights },
      ...{ output_bias: output.bias, ...arrays, joints: kernels.pointers(joints) },
      weights: kernels.pointers(layers.map((one) => one.weights)),
      gate_biases: kernels.pointers(layers.map((one) => one.bias)),
      ...{ widths: kernels.integers(widths), text: kernels.integers(text) },
      text_lengths: kernels.integers([text.length]),
      hiddens: kernels.alloc(even(count * size)),
      parameters: kernels.alloc(padded(3 * components)),
    });
  }

  // The output layer, whose expected offsets are `stretch` times as large (mixture.stretched).
  #output(stretch) {
    const { mean, std } = this.header.normalisation;
    const own = (name) => this.tensors[`output.${name}`].slice();
    const [weights, bias] = [own("weight"), own("bias")];
    const [mixtures, columns] = [Math.floor(bias.length / 6), weights.length / bias.length];
    stretch.forEach((factor, axis) => {
      for (let row = 1 + (1 + axis) * mixtures; row < 1 + (2 + axis) * mixtures; row++) {
        bias[row] = factor * (bias[row] + mean[axis] / std[axis]) - mean[axis] / std[axis];
        for (let i = row * columns; i < (row + 1) * columns; i++) weights[i] *= factor;
      }
    });
    return this.kernels.linear(weights, bias);
  }

  // The points of ink as the network sees them.
  #normalised(ink) {
    const { mean, std } = this.header.normalisation;
    return Array.from({ length: ink.length / 3 }, (_, i) => {
      const [x, y, end] = ink.slice(3 * i, 3 * i + 3);
      return [(x - mean[0]) / std[0], (y - mean[1]) / std[1], end, 0].slice(0, this.inputs);
    });
  }

  #ink(points) {
    const { mean, std } = this.header.normalisation;
    return points.flatMap(([x, y, end]) => [x * std[0] + mean[0], y * std[1] + mean[1], end]);
  }
}

// Reads a line: Python's CTCNetwork of LSTM cells.
export class Reader {
  constructor(module, { header, tensors }) {
    const kernels = new Kernels(module);
    Object.assign(this, { header, kernels, alphabet: [...header.alphabet] });
    // The points that a frame sees lie one after the other.
    const kernel = tensors["convolution.weight"];
    const [bias, count] = [tensors["convolution.bias"], header.features.count];
    const turned = kernel.map((_, i) => {
      const [row, tap] = [Math.floor(i / (KERNEL * count)), Math.floor(i / count) % KERNEL];
      return kernel[(row * count + (i % count)) * KERNEL + tap];
    });
    this.convolution = kernels.linear(turned, bias);
    this.layers = [];
    for (let number = 0; `layers.${number}.forward_rnn.layer.bias_ih_l0` in tensors; number++)
      this.layers.push(["forward", "backward"].map((way) =>
        torchLayer(kernels, tensors, `layers.${number}.${way}_rnn`)));
    this.labels = kernels.linear(tensors["labels.weight"], tensors["labels.bias"]);
  }

  // The log-probabilities of each frame of ink; the blank is the last class.
  logProbs(ink) {
    const { count } = this.header.features;
    const points = features(ink, this.header.features);
    const frames = Math.ceil(points.length / count / STRIDE);
    const seen = new Float32Array((STRIDE * (frames - 1) + KERNEL) * count);
    seen.set(points, (KERNEL >> 1) * count);
    let hidden = this.#product(this.convolution, seen, frames, STRIDE * count).map(gelu);
    for (const [ahead, back] of this.layers) {
      const backwards = this.#states(back, reversed(hidden, hidden.length / frames), frames);
      const both = [this.#states(ahead, hidden, frames), reversed(backwards, back.size)];
      hidden = beside(frames, ...both.map((states) => [states, back.size]));
    }
    const logits = this.#product(this.labels, hidden, frames, hidden.length / frames);
    return Array.from({ length: frames }, (_, frame) => {
      const own = logits.subarray(frame * this.labels.rows, (frame + 1) * this.labels.rows);
      const largest = Math.max(...own);
      const sum = Math.log(own.reduce((all, logit) => all + Math.exp(logit - largest), 0));
      return own.map((logit) => logit - largest - sum);
    });
  }

  // The characters of the likeliest path, with their probabilities.
  read(ink) {
    const [found, blank] = [[], this.alphabet.length];
    let before = blank;
    for (const frame of ink.length ? this.logProbs(ink) : []) {
      const best = frame.indexOf(Math.max(...frame));
      if (best !== blank) {
        if (best !== before) found.push({ character: this.alphabet[best], probability: 0 });
        const last = found.at(-1);
        last.probability = Math.max(last.probability, Math.exp(frame[best]));
      }
      before = best;
    }
    return found;
  }

  // Of each `stride` inputs the outputs of an output layer, or a convolution.
  #product({ rows, columns, weights, bias }, inputs, count, stride) {
    const { kernels } = this;
    return kernels.within(() => {
      const left = kernels.alloc(inputs.length, inputs);
      const out = kernels.alloc(count * padded(rows));
      kernels.c.linear(left, stride, count, columns, weights, bias, rows, out);
      return beside(count, [kernels.floats(out, count * padded(rows)), padded(rows), 0, rows]);
    });
  }

  // The hidden states of a layer over all steps of inputs.
  #states({ size, width, weights, bias }, inputs, steps) {
    const { kernels } = this;
    return kernels.within(() => {
      const [joint, count] = [kernels.alloc((steps + 1) * width), inputs.length / steps];
      const structure = kernels.structure(LAYER, {
        ...{ steps, batch: 1, size, inputs: count, places: 1, threads: 1, width, bound: Infinity },
        ...{ bias, weights, joint, text_lengths: kernels.integers([0]) },
        ...{ gates: kernels.alloc(steps * 4 * size), cells: kernels.alloc((steps + 1) * size) },
        phis: kernels.alloc(steps),
      });
      const rows = () => kernels.floats(joint, (steps + 1) * width);
      for (let step = 0; step < steps; step++)
        rows().set(inputs.subarray(step * count, (step + 1) * count), step * width + size);
      kernels.run("forward", structure);
      return beside(steps, [rows().subarray(width), width, 0, size]);
    });
  }
}

// x Phi(x), by the approximation 7.1.26 of Abramowitz and Stegun: absolute error below 1.5e-7.
function gelu(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) * Math.SQRT1_2);
  const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const beyond = 0.5 * t * factors.reduce((sum, one) => sum * t + one, 0) * Math.exp((-x * x) / 2);
  return x * (x < 0 ? beyond : 1 - beyond);
}
