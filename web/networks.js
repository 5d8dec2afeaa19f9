// The networks of the files that `experiments.py export NETWORK.bin` makes: one that writes and one
// that reads. They compute what Python's do; see model/generation and model/recognition.

import { even, Kernels, LAYER, padded, UserError, WRITING } from "./engine.js";
import { features, numFeatures } from "./features.js";
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

// Columns of a matrix, and matrices of as many rows beside each other.
const part = (data, columns, from = 0, to = columns) => ({ data, columns, from, to });

function beside(rows, ...parts) {
  const width = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  const found = new Float32Array(rows * width);
  for (let row = 0, at = 0; row < rows; row++)
    for (const { data, columns, from, to } of parts) {
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

// The parameters of a torch LSTM in the order of the kernels.
function reordered(parameters) {
  const size = parameters.length / 4;
  const found = new Float32Array(parameters.length);
  GATES.forEach((from, to) =>
    found.set(parameters.subarray(from * size, (from + 1) * size), to * size));
  return found;
}

// A layer of LSTM cells; `window` is {vocabSize, components, parameters} where it has one.
class Layer {
  // The columns of the weights are for the hidden state, for the window, and for the inputs.
  constructor(kernels, size, weights, bias, window = { vocabSize: 0, components: 0 }) {
    const columns = weights.length / 4 / size;
    const pads = even(columns) - columns;
    Object.assign(this, { kernels, size, window, width: even(columns) });
    const zeros = part(new Float32Array(4 * size * pads), pads);
    const all = beside(4 * size, part(weights, columns), zeros);
    this.weights = kernels.pack(all, this.width, 4);
    this.bias = kernels.alloc(bias.length, bias);
  }

  // Of torch; `order` says in which order its inputs [from, to] come here.
  static ofTorch(kernels, tensors, name, order = null) {
    const of = (kind) => reordered(tensors[`${name}.layer.${kind}_l0`]);
    const [incoming, bias, other] = [of("weight_ih"), of("bias_ih"), of("bias_hh")];
    const [size, inputs] = [bias.length / 4, incoming.length / bias.length];
    const seen = (order ?? [[0, inputs]]).map((range) => part(incoming, inputs, ...range));
    const weights = beside(4 * size, part(of("weight_hh"), size), ...seen);
    return new Layer(kernels, size, weights, bias.map((value, i) => value + other[i]));
  }

  // The state before the first step.
  start() {
    const { vocabSize, components } = this.window;
    const sizes = { hidden: this.size, cell: this.size, window: vocabSize, kappa: components };
    return Object.fromEntries(
      Object.entries(sizes).map(([name, count]) => [name, new Float32Array(count)]),
    );
  }

  // Run over all steps of inputs. Returns hidden states, windows and phi, and the state at the end.
  run(inputs, steps, state, text = []) {
    const { kernels } = this;
    return kernels.within(() => {
      const { size, width } = this;
      const { vocabSize, components, parameters } = this.window;
      const [count, places] = [inputs.length / steps, text.length + 1];
      const arrays = {
        joint: kernels.alloc((steps + 1) * width, state.hidden),
        gates: kernels.alloc(steps * 4 * size),
        cells: kernels.alloc((steps + 1) * size, state.cell),
        kappas: kernels.alloc((steps + 1) * components, state.kappa),
        exponentials: kernels.alloc(steps * 3 * components),
        phis: kernels.alloc(steps * places),
      };
      const sizes = { steps, batch: 1, size, inputs: count, components, places, threads: 1, width };
      const layer = kernels.structure(LAYER, {
        ...{ ...sizes, vocab_size: vocabSize, bound: Infinity },
        ...{ bias: this.bias, weights: this.weights, ...parameters, ...arrays },
        ...{ text: kernels.integers(text), text_lengths: kernels.integers([text.length]) },
      });
      const joint = kernels.floats(arrays.joint, (steps + 1) * width);
      const from = size + vocabSize;
      joint.set(state.window, size);
      for (let step = 0; step < steps; step++)
        joint.set(inputs.subarray(step * count, (step + 1) * count), step * width + from);
      kernels.run("forward", layer);
      const after = (array, columns, from = 0, to = columns) => {
        const all = kernels.floats(array, (steps + 1) * columns).subarray(columns);
        return beside(steps, part(all, columns, from, to));
      };
      const found = {
        hidden: after(arrays.joint, width, 0, size),
        cell: after(arrays.cells, size),
        window: after(arrays.joint, width, size, from),
        kappa: after(arrays.kappas, components),
      };
      const last = Object.entries(found)
        .map(([name, all]) => [name, all.slice(all.length - all.length / steps)]);
      const phi = kernels.floats(arrays.phis, steps * places).slice();
      return { ...found, phi, state: Object.fromEntries(last) };
    });
  }
}

// An output layer, or a convolution, of which each row of the weights gives a number.
class Linear {
  constructor(kernels, weights, bias) {
    const [rows, columns] = [bias.length, weights.length / bias.length];
    Object.assign(this, { kernels, rows, columns });
    this.weights = kernels.pack(weights, columns);
    this.bias = kernels.alloc(padded(rows), bias);
  }

  // Of each `stride` inputs the outputs, after a function of the kernels that changes them.
  run(inputs, count, stride, change = () => {}) {
    const { kernels, rows, columns } = this;
    return kernels.within(() => {
      const left = kernels.alloc(inputs.length, inputs);
      const out = kernels.alloc(count * padded(rows));
      kernels.c.linear(left, stride, count, columns, this.weights, this.bias, rows, out);
      change(out, count * padded(rows));
      return beside(count, part(kernels.floats(out, count * padded(rows)), padded(rows), 0, rows));
    });
  }
}

// Writes a text: Python's SynthesisNetwork of LSTM cells that says itself where a line ends.
export class Writer {
  constructor(module, { header, tensors }) {
    const kernels = new Kernels(module);
    const of = (name) => tensors[`layers.0.${name}`];
    const [size, vocabSize] = [of("bias").length / 4, [...header.alphabet].length];
    const inputs = of("weight_input").length / of("bias").length;
    Object.assign(this, { header, kernels, size, vocabSize, inputs, tensors });
    const window = {
      ...{ vocabSize, components: of("window.bias").length / 3 },
      parameters: {
        window_weights: kernels.pack(of("window.weight"), size),
        window_bias: kernels.alloc(padded(of("window.bias").length), of("window.bias")),
      },
    };
    const parts = [["hidden", size], ["window", vocabSize], ["input", inputs]]
      .map(([name, columns]) => part(of(`weight_${name}`), columns));
    this.layers = [new Layer(kernels, size, beside(4 * size, ...parts), of("bias"), window)];
    const below = inputs + vocabSize;
    const order = [[below, below + size], [inputs, below], [0, inputs]];
    for (let number = 1; `layers.${number}.layer.bias_ih_l0` in tensors; number++)
      this.layers.push(Layer.ofTorch(kernels, tensors, `layers.${number}`, order));
  }

  // Run over given points: normalised, `inputs` numbers each. Returns the hidden states of all
  // layers beside each other, phi, and the state after the last step.
  forward(points, text, state) {
    const steps = points.length / this.inputs;
    const found = [];
    this.layers.forEach((layer, number) => {
      const seen = number === 0 ? points : beside(
        steps,
        part(found[number - 1].hidden, this.size),
        part(found[0].window, this.vocabSize),
        part(points, this.inputs),
      );
      found.push(layer.run(seen, steps, state[number], number ? [] : text));
    });
    const hidden = beside(steps, ...found.map((layer) => part(layer.hidden, this.size)));
    return { hidden, phi: found[0].phi, state: found.map((layer) => layer.state) };
  }

  // The output layer, whose expected offsets are `stretch` times as large (mixture.stretched).
  outputLayer(stretch) {
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
    return new Linear(this.kernels, weights, bias);
  }

  // The state after a primer's ink and all but its last point, with the middle of the window on
  // the character after its text (sampling._begin); of one point of zeros before the first step.
  begin(ink, text, primerLength) {
    const points = this.#normalised(ink);
    const start = this.layers.map((layer) => layer.start());
    const begin = { point: points.slice(-this.inputs), text, state: start };
    if (points.length === this.inputs) return begin;
    const { state, phi } = this.forward(points.subarray(0, -this.inputs), text, start);
    const last = phi.subarray(phi.length - text.length - 1);
    const half = last.reduce((sum, value) => sum + value, 0) / 2;
    let [middle, reached] = [0, last[0]];
    while (reached < half) reached += last[++middle];
    if (primerLength) state[0].kappa = state[0].kappa.map((kappa) => kappa + primerLength - middle);
    return { ...begin, state };
  }

  // Draw the points of a line. Yields the ink of some steps at a time, and returns {steps, ended}:
  // how many of them count, and whether the line is complete.
  *write({ point, text, state }, seed, { bias, stretch, limit }) {
    const { kernels, inputs } = this;
    const top = kernels.c.mark();
    try {
      const places = text.length + 1;
      const arrays = this.#allocate(state, point, text, bias, stretch);
      const stopping = new Stopping(this.header, text, limit, point);
      const random = new TorchRandom(seed);
      let numbers = [];
      for (let first = 0, on = true, now = bias; on && first < limit; first += PERIOD) {
        if (first % BLOCK === 0) numbers = [random.uniform(2 * BLOCK), random.normal(2 * BLOCK)];
        const from = 2 * (first % BLOCK);
        numbers.forEach((all, i) =>
          kernels.floats(arrays.drawn[i], 2 * PERIOD).set(all.subarray(from, from + 2 * PERIOD)));
        const steps = Math.min(PERIOD, limit - first);
        kernels.set(WRITING, arrays.writing, { steps });
        kernels.run("write_lines", arrays.writing);
        const rows = (array, columns) => Array.from({ length: steps }, (_, step) =>
          kernels.floats(array + 4 * step * columns, columns).slice());
        const points = rows(arrays.points, inputs);
        if (stopping.atRest(points)) kernels.floats(arrays.bias, 1)[0] = now /= 2;
        const phis = rows(arrays.phis, places);
        on = stopping.feed(points, phis.map((phi) => phi.indexOf(Math.max(...phi))));
        yield this.#ink(points);
      }
      return stopping.end();
    } finally {
      kernels.c.release(top);
    }
  }

  // The structure of sampling.c for one line, and the arrays in it that are read or changed.
  #allocate(state, point, text, bias, stretch) {
    const { kernels, size, layers, vocabSize, header } = this;
    const { components, parameters } = layers[0].window;
    const { sampling } = header;
    const output = this.outputLayer(stretch);
    const joints = layers.map(({ width }, number) => {
      const joint = kernels.alloc(2 * width, state[number].hidden);
      const place = kernels.floats(joint, width);
      place.set(state[number].window, size);
      place.set(point, size * (number ? 2 : 1) + vocabSize);
      return joint;
    });
    const cells = kernels.alloc(layers.length * size);
    state.forEach(({ cell }, number) => kernels.floats(cells + 4 * number * size, size).set(cell));
    const drawn = [kernels.alloc(2 * PERIOD), kernels.alloc(2 * PERIOD)];
    const arrays = {
      bias: kernels.alloc(1, [bias]),
      points: kernels.alloc(PERIOD * this.inputs),
      phis: kernels.alloc(PERIOD * (text.length + 1)),
    };
    const writing = kernels.structure(WRITING, {
      ...{ batch: 1, layers: layers.length, size, vocab_size: vocabSize, components, lstm: 1 },
      ...{ places: text.length + 1, mixtures: Math.floor(output.rows / 6), threads: 1 },
      ...{ ends: this.inputs - 3, max_correlation: sampling.max_correlation },
      log_min_scale_x: Math.log(sampling.min_scales[0]),
      log_min_scale_y: Math.log(sampling.min_scales[1]),
      ...{ pen_pivot: PEN_PIVOT, pen_sharpness: sampling.pen_sharpness, ...parameters, ...arrays },
      weights: kernels.pointers(layers.map((layer) => layer.weights)),
      gate_biases: kernels.pointers(layers.map((layer) => layer.bias)),
      widths: kernels.integers(layers.map((layer) => layer.width)),
      joints: kernels.pointers(joints),
      ...{ output_weights: output.weights, output_bias: output.bias, cells },
      ...{ text: kernels.integers(text), text_lengths: kernels.integers([text.length]) },
      hiddens: kernels.alloc(even(layers.length * size)),
      kappas: kernels.alloc(components, state[0].kappa),
      parameters: kernels.alloc(padded(3 * components)),
      ...{ raw: kernels.alloc(padded(output.rows)), uniform: drawn[0], normal: drawn[1] },
    });
    return { ...arrays, writing, drawn };
  }

  #normalised(ink) {
    const { mean, std } = this.header.normalisation;
    const points = new Float32Array((ink.length / 3) * this.inputs);
    for (let i = 0, at = 0; i < ink.length; i += 3, at += this.inputs) {
      points[at] = (ink[i] - mean[0]) / std[0];
      points[at + 1] = (ink[i + 1] - mean[1]) / std[1];
      points[at + 2] = ink[i + 2];
    }
    return points;
  }

  #ink(points) {
    const { mean, std } = this.header.normalisation;
    const plain = ([x, y, end]) => [x * std[0] + mean[0], y * std[1] + mean[1], end];
    return Float32Array.from(points.flatMap(plain));
  }
}

// Reads a line: Python's CTCNetwork of LSTM cells.
export class Reader {
  constructor(module, { header, tensors }) {
    const kernels = new Kernels(module);
    Object.assign(this, { header, kernels, alphabet: [...header.alphabet] });
    const count = (this.count = numFeatures(header.features.parts));
    // The points that a frame sees lie one after the other.
    const kernel = tensors["convolution.weight"];
    const turned = kernel.map((_, i) => {
      const [row, tap] = [Math.floor(i / (KERNEL * count)), Math.floor(i / count) % KERNEL];
      return kernel[(row * count + (i % count)) * KERNEL + tap];
    });
    this.convolution = new Linear(kernels, turned, tensors["convolution.bias"]);
    this.layers = [];
    for (let number = 0; `layers.${number}.forward_rnn.layer.bias_ih_l0` in tensors; number++)
      this.layers.push(["forward", "backward"].map((way) =>
        Layer.ofTorch(kernels, tensors, `layers.${number}.${way}_rnn`)));
    this.labels = new Linear(kernels, tensors["labels.weight"], tensors["labels.bias"]);
  }

  // The log-probabilities of each frame of ink, flat; the blank is the last class.
  logProbs(ink) {
    const { c } = this.kernels;
    const points = features(ink, this.header.features);
    let frames = Math.ceil(points.length / this.count / STRIDE);
    const seen = new Float32Array((STRIDE * (frames - 1) + KERNEL) * this.count);
    seen.set(points, (KERNEL >> 1) * this.count);
    let hidden = this.convolution.run(seen, frames, STRIDE * this.count, c.gelu);
    this.layers.forEach(([ahead, back], number) => {
      const columns = hidden.length / frames;
      const forwards = ahead.run(hidden, frames, ahead.start()).hidden;
      const backwards = back.run(reversed(hidden, columns), frames, back.start()).hidden;
      const turned = reversed(backwards, back.size);
      hidden = beside(frames, part(forwards, ahead.size), part(turned, back.size));
      if (number < this.header.features.time_reductions) {
        const pairs = new Float32Array(2 * Math.ceil(frames / 2) * (hidden.length / frames));
        pairs.set(hidden);
        [hidden, frames] = [pairs, Math.ceil(frames / 2)];
      }
    });
    const change = (out) => c.log_softmax(out, frames, this.labels.rows);
    return this.labels.run(hidden, frames, hidden.length / frames, change);
  }

  // The characters of the likeliest path, with their probabilities.
  read(ink) {
    if (!ink.length) return [];
    const [values, blank] = [this.logProbs(ink), this.alphabet.length];
    const found = [];
    for (let start = 0, before = blank; start < values.length; start += blank + 1) {
      const frame = values.subarray(start, start + blank + 1);
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
}
