// Networks from files that `export FILE.bin` makes: one writes, one reads, one describes hands. They
// compute the same as the networks in model/generation and model/recognition.

import {beam, greedy} from "./decoding.js";
import {Kernels, padded} from "./engine.js";
import {features, numFeatures, places} from "./features.js";
import {rowsOf} from "./flat_file.js";
import {sum} from "./ink.js";
import {TorchRandom} from "./random.js";
import {Stopping} from "./stopping.js";
import {wordsOf} from "./text.js";

const INPUTS = 4; // numbers of a point: offset in x, offset in y, end of stroke, end of line
const PERIOD = 16; // steps of a call of the kernel; a resting pen is noticed after each call
const BLOCK = 256; // steps for which random numbers are drawn at once
const PEN_PIVOT = -1.5; // log-odds of a stroke's end that a bias leaves unchanged
const KERNEL = 5; // points under the kernel of the convolution
const STRIDE = 2; // points from one frame to the next
const MIN_STROKE_FRACTION = 0.25; // of its points that each of several words of a stroke has
const MAX_DOUBTED_PROBABILITY = 0.999; // of a word whose alternatives are looked for
const MAX_FRAMES = 300; // of a word whose alternatives are looked for (assumed)
const MIN_PROBABILITY = 0.6; // of a character that is not doubtful (assumed)
const GATES = [0, 1, 3, 2]; // torch's indices of the gates input, forget, output and candidate
const FRAMES = 100; // frames of a line whose descriptor has the weight 1 in a mean of descriptors
const PRIOR_WEIGHT = 0.25; // weight of a zero descriptor, which each mean of descriptors includes
const DRAWN_WEIGHT = 8; // weight of the descriptor of a drawn hand
const FRACTIONS = [0.05, 0.2]; // bounds of the weight of the second hand in a drawn hand
const SPAN = 3; // largest absolute value of a number of a hand vector

const isDoubtful = ({probability}) => probability < MIN_PROBABILITY;

/** A list of the numbers of all rows. */
function concatenated(rows) {
  const all = new Float32Array(sum(rows.map((row) => row.length)));
  let end = 0;
  for (const row of rows) all.set(row, (end += row.length) - row.length);
  return all;
}

/** A packed layer of LSTM cells. A row has the weights of the hidden state, then of the inputs. */
const layer = (kernels, rows, bias) => ({size: rows.length / 4, width: rows[0].length,
  weights: kernels.pack(rows, 4), bias: kernels.alloc(bias.length, bias)});

/** The rows of an LSTM's gates in torch's order: from the inputs, from the hidden state, the biases. */
function torchGates(tensors, name, [size, inputs]) {
  const columns = {weight_ih: inputs, weight_hh: size, bias_ih: 1, bias_hh: 1};
  const [incoming, hidden, bias, hiddenBias] = Object.keys(columns).map((kind) =>
    rowsOf(tensors, `${name}.layer.${kind}_l0`, 4 * size, columns[kind]));
  return [incoming, hidden, bias.map(([value], i) => value + hiddenBias[i][0])];
}

/** A packed layer of LSTM cells from torch's tensors, with the inputs in the order of `ranges`. */
function torchLayer(kernels, tensors, name, sizes, ranges) {
  const [incoming, hidden, bias] = torchGates(tensors, name, sizes).map((rows) =>
    GATES.flatMap((gate) => rows.slice(gate * sizes[0], (gate + 1) * sizes[0])));
  const rows = hidden.map((row, i) =>
    concatenated([row, ...ranges.map((range) => incoming[i].subarray(...range))]));
  return layer(kernels, rows, bias);
}

/** A packed bidirectional layer from torch's tensors; see `Bidirectional` of bidirectional.c. */
function bidirectionalLayer(kernels, tensors, name, [size, inputs]) {
  const parts = ["forward", "backward"].map((direction) => {
    const [incoming, hidden, bias] =
      torchGates(tensors, `${name}.${direction}_rnn`, [size, inputs]);
    return [kernels.pack(incoming, 4), kernels.pack(hidden, 4), kernels.alloc(bias.length, bias)];
  });
  const [weights, hiddenWeights, biases] =
    [0, 1, 2].map((n) => kernels.list(Uint32Array, parts.map((part) => part[n])));
  return {size, inputs, input_weights: weights, hidden_weights: hiddenWeights, biases};
}

/** A packed linear layer from torch's tensors. */
const linearLayer = (kernels, tensors, name, count, columns) => kernels.linear(
  rowsOf(tensors, `${name}.weight`, count, columns), rowsOf(tensors, `${name}.bias`, count, 1));

/** Python's SynthesisNetwork with LSTM cells and an end of the sequence. */
export class SynthesisNetwork {
  constructor(module, {header, tensors}) {
    const kernels = new Kernels(module), vocabSize = [...header.alphabet].length;
    const lowestRows = (name, ...shape) => rowsOf(tensors, `layers.0.${name}`, ...shape);
    const size = tensors["layers.0.weight_hidden"]?.columns;
    const parts = Object.entries({hidden: size, window: vocabSize, input: INPUTS})
      .map(([name, columns]) => lowestRows(`weight_${name}`, 4 * size, columns));
    Object.assign(this, {header, kernels, size, vocabSize});
    const weights = parts[0].map((_, i) => concatenated(parts.map((rows) => rows[i])));
    const bias = lowestRows("bias", 4 * size, 1).map(([value]) => value);
    this.layers = [layer(kernels, weights, bias)];
    // torch's inputs are the point, the window and the layer below; the kernels reverse this order.
    const end = INPUTS + vocabSize, ranges = [[end], [INPUTS, end], [0, INPUTS]];
    for (let n = 1; `layers.${n}.layer.bias_ih_l0` in tensors; n++)
      this.layers.push(torchLayer(kernels, tensors, `layers.${n}`, [size, end + size], ranges));
    const windows = 3 * Math.floor(tensors["layers.0.window.bias"]?.count / 3);
    const outputs = 6 * Math.floor(tensors["output.bias"]?.count / 6) + 2;
    const gates = tensors["hand_gates.weight"];
    if (gates) {
      const rows = rowsOf(tensors, "hand_gates.weight", 4 * size * this.layers.length,
        gates.columns);
      this.handGates = kernels.linear(rows, []);
      this.handEncoder = new HandEncoder(kernels, tensors);
    }
    this.window = linearLayer(kernels, tensors, "layers.0.window", windows, size);
    this.output = [rowsOf(tensors, "output.weight", outputs, this.layers.length * size),
      rowsOf(tensors, "output.bias", outputs, 1)];
    this.lineMemory = kernels.c.mark(); // memory from here on belongs to one of the lines
    this.line = null; // the line that has this memory
  }

  /** Begin a line after a primer; see `Line`. */
  begin(...line) { return new Line(this, ...line); }

  /** Give a line the memory of lines; the line that had this memory keeps a copy. */
  switchTo(line) {
    const {c} = this.kernels, {lineMemory} = this;
    if (line === this.line) return;
    if (this.line)
      this.line.memory = new Uint8Array(c.memory.buffer).slice(lineMemory, c.mark());
    c.release(lineMemory + (line.memory?.length ?? 0));
    if (line.memory) new Uint8Array(c.memory.buffer).set(line.memory, lineMemory);
    this.line = line;
  }

  /** The packed output layer, in which the mixture's means, in the units of the data, are multiplied
   * by `stretch`, two factors for x and y; see `stretched` in mixture.py. */
  stretched(stretch) {
    const {mean, std} = this.header.normalisation, [weights, biases] = this.output;
    const mixtures = Math.floor(weights.length / 6);
    // 0 for the rows of means in x, 1 for the rows of means in y.
    const axis = (row) => Math.floor((row - 1) / mixtures) - 1;
    const factors = weights.map((_, row) => stretch[axis(row)] ?? 1);
    const bias = biases.map(([value], row) => {
      const origin = mean[axis(row)] / std[axis(row)] || 0;
      return [factors[row] * (value + origin) - origin];
    });
    const rows = weights.map((row, i) => row.map((value) => value * factors[i]));
    return this.kernels.linear(rows, bias);
  }
}

/** A line of a SynthesisNetwork. Each call of `write` draws this line, with another seed. Lines of a
 * network can be drawn in turns. */
class Line {
  /** Begin a line after a primer: its ink, and the first `primed` characters of the encoded `text`.
   * Without a primer `ink` is a point of zeros. `vector` is a hand vector. See sampling._begin. */
  constructor(network, ink, text, primed, {bias, stretch, vector}) {
    const {kernels, window, header: {normalisation: {mean, std}}} = network;
    Object.assign(this, {network, kernels, text});
    network.switchTo(this);
    this.#allocate(bias, stretch, vector);
    for (let i = 0; i < ink.length; i += 3) {
      const [x, y] = [0, 1].map((axis) => (ink[i + axis] - mean[axis]) / std[axis]);
      if (i) this.run(1);
      this.setPoint([x, y, ink[i + 2], 0]);
    }
    if (primed) { // move the window to the end of the primer's text
      const phi = kernels.floats(this.phis, text.length + 1), half = sum(phi) / 2;
      let middle = 0, total = phi[0];
      while (total < half) total += phi[++middle];
      const kappas = kernels.floats(this.kappas, window.count / 3);
      kappas.set(kappas.map((kappa) => kappa + primed - middle));
    }
    this.start = {parity: this.parity, bias, state: kernels.floats(...this.state).slice()};
  }

  /** Draw the line's points, at most `limit`. Yields the ink of some steps at a time. Returns
   * {steps, ended, peaks}: the number of steps that belong to the line, whether the line is
   * complete, and the index of the character at the window's peak, for each step. */
  *write(seed, limit) {
    const {network, kernels, start, text} = this, {mean, std} = network.header.normalisation;
    network.switchTo(this);
    kernels.floats(...this.state).set(start.state);
    kernels.floats(this.bias, 1)[0] = start.bias;
    this.parity = start.parity;
    const stopping = new Stopping(network.header, text, limit, this.point);
    const random = new TorchRandom(seed);
    let numbers = [];
    for (let step = 0, goesOn = true; goesOn && step < limit; step += PERIOD) {
      network.switchTo(this); // another line may have been drawn meanwhile
      if (step % BLOCK === 0) numbers = [random.uniform(2 * BLOCK), random.normal(2 * BLOCK)];
      const begin = 2 * (step % BLOCK), steps = Math.min(PERIOD, limit - step);
      [this.uniform, this.normal].forEach((pointer, i) =>
        kernels.floats(pointer, 2 * PERIOD).set(numbers[i].subarray(begin, begin + 2 * PERIOD)));
      this.run(steps);
      const points = kernels.rows(this.points, steps, INPUTS);
      const phis = kernels.rows(this.phis, steps, text.length + 1);
      if (stopping.atRest(points)) kernels.floats(this.bias, 1)[0] /= 2;
      goesOn = stopping.feed(points, phis.map((phi) => phi.indexOf(Math.max(...phi))));
      yield points.flatMap(([x, y, end]) => [x * std[0] + mean[0], y * std[1] + mean[1], end]);
    }
    return {...stopping.end(), peaks: stopping.steps.map(({peak}) => peak)};
  }

  /** Compute the next steps. */
  run(steps) {
    this.kernels.structure("Writing", {steps, parity: this.parity}, this.writing);
    this.kernels.run("write_lines", this.writing);
    this.parity = (this.parity + steps) % 2;
  }

  /** Copy a normalised point into the inputs of all layers at the next step. */
  setPoint(point) {
    const {layers, size, vocabSize} = this.network;
    this.point = point;
    layers.forEach(({width}, number) => {
      const column = this.parity * width + size * (number ? 2 : 1) + vocabSize;
      this.kernels.floats(this.joints[number] + 4 * column, INPUTS).set(point);
    });
  }

  /** Allocate the structure `Writing` of sampling.c for a line, with zeros as states. */
  #allocate(bias, stretch, vector) {
    const {network, kernels, text} = this, {size, layers, vocabSize, window} = network;
    const {sampling} = network.header, components = window.count / 3;
    const count = layers.length, places = text.length + 1, output = network.stretched(stretch);
    const widths = layers.map(({width}) => width);
    // The states that steps change lie side by side, so that `begin` copies all of them at once.
    const sizes = [count * size, components, ...widths.map((width) => 2 * width)];
    const begin = kernels.alloc(sum(sizes));
    this.state = [begin, sum(sizes)]; // pointer and count
    const [cells, kappas, ...joints] = sizes.map((_, i) => begin + 4 * sum(sizes.slice(0, i)));
    const raw = kernels.alloc(padded(output.count));
    const [uniform, normal, points, phis] = [2, 2, INPUTS, places]
      .map((perStep) => kernels.alloc(PERIOD * perStep));
    this.bias = kernels.alloc(1, [bias]);
    Object.assign(this, {kappas, joints, raw, uniform, normal, points, phis});
    this.parity = 0;
    const pointers = (values) => kernels.list(Uint32Array, values);
    const integers = (values) => kernels.list(BigInt64Array, values);
    const biases = layers.map(({bias}) => bias);
    if (vector) {
      const [gates] = kernels.product(network.handGates, vector);
      biases.forEach((bias, number) => {
        const values = kernels.floats(bias, 4 * size);
        biases[number] = kernels.alloc(4 * size,
          values.map((value, i) => value + gates[4 * size * number + i]));
      });
    }
    this.writing = kernels.structure("Writing", {
      batch: 1, layers: count, size, vocab_size: vocabSize, components, places,
      mixtures: Math.floor(output.count / 6), lstm: 1, threads: 1, ends: 1,
      log_min_scales: sampling.min_scales.map(Math.log), max_correlation: sampling.max_correlation,
      pen: [PEN_PIVOT, sampling.pen_sharpness],
      weights: pointers(layers.map(({weights}) => weights)), gate_biases: pointers(biases),
      widths: integers(widths), joints: pointers(joints),
      window_weights: window.weights, window_bias: window.bias,
      output_weights: output.weights, output_bias: output.bias,
      text: integers(text), text_lengths: integers([text.length]),
      hiddens: kernels.alloc(count * size + 1), cells, kappas,
      parameters: kernels.alloc(padded(3 * components)), raw, bias: this.bias, uniform, normal,
      points, phis});
  }
}

/** Makes hand vectors, as Python's HandEncoder does. */
class HandEncoder {
  constructor(kernels, tensors) {
    const {count, columns} = tensors["hand_encoder.hands"] ?? {};
    const [hidden, size] = [0, 2].map((n) => tensors[`hand_encoder.layers.${n}.bias`]?.count);
    this.product = kernels.product.bind(kernels);
    this.hands = rowsOf(tensors, "hand_encoder.hands", count, columns);
    this.layers = [linearLayer(kernels, tensors, "hand_encoder.layers.0", hidden, columns),
      linearLayer(kernels, tensors, "hand_encoder.layers.2", size, hidden)];
  }

  /** The vector of a hand. `lines` are results of `HandDescriptor.describe`. */
  vector(lines) {
    const total = lines[0].map((_, k) => sum(lines.map((line) => line[k])));
    const weight = total.pop() + PRIOR_WEIGHT;
    const vector = this.layers.reduce((inputs, layer) =>
      this.product(layer, inputs)[0].map(Math.tanh), total.map((value) => value / weight));
    return [...vector.map((value) => SPAN * value), 0]; // 0: `composed`, whether the line is made of pieces
  }

  /** The vector of the new hand that a seed gives, as in Python. */
  draw(seed) {
    const {hands} = this, {length} = hands, [other, place] = new TorchRandom(seed).uniform(2);
    const first = seed % length, second = (first + 1 + Math.floor(other * (length - 1))) % length;
    const fraction = FRACTIONS[0] + place * (FRACTIONS[1] - FRACTIONS[0]);
    const hand = [...hands[first]].map((value, k) =>
      DRAWN_WEIGHT * (value + fraction * (hands[second][k] - value)));
    return this.vector([[...hand, DRAWN_WEIGHT]]);
  }
}

/** The convolution and the LSTM layers of a recogniser. */
class StrokeEncoder {
  constructor(module, {header, tensors}) {
    const kernels = new Kernels(module), numInputs = numFeatures(header.features.parts);
    const channels = tensors["convolution.bias"]?.count;
    const size = tensors["layers.0.forward_rnn.layer.weight_hh_l0"]?.columns;
    Object.assign(this, {header, kernels, numInputs, channels, size});
    // torch's kernel has the points of each feature side by side; here, the features of each point.
    const kernel = rowsOf(tensors, "convolution.weight", channels, KERNEL * numInputs).map((row) =>
      row.map((_, i) => row[(i % numInputs) * KERNEL + Math.floor(i / numInputs)]));
    this.convolution = kernels.linear(kernel, rowsOf(tensors, "convolution.bias", channels, 1));
    this.layers = [];
    for (let n = 0; n === 0 || `layers.${n}.forward_rnn.layer.bias_ih_l0` in tensors; n++)
      this.layers.push(bidirectionalLayer(
        kernels, tensors, `layers.${n}`, [size, n ? 2 * size : channels]));
  }

  /** The outputs of the convolution and of each layer; each output has a row for each frame. */
  encode(strokes) {
    const {header, kernels, numInputs} = this, points = features(strokes, header.features);
    const frames = Math.ceil(points.length / STRIDE);
    const inputs = new Float32Array((STRIDE * (frames - 1) + KERNEL) * numInputs);
    points.forEach((point, i) => inputs.set(point, ((KERNEL >> 1) + i) * numInputs));
    const convolved = kernels.product(this.convolution, inputs, frames, STRIDE * numInputs)
      .map((row) => row.map(gelu));
    return this.layers.reduce((outputs, layer) =>
      [...outputs, this.#states(layer, outputs.at(-1))], [convolved]);
  }

  /** The hidden states of a layer, forwards and backwards, at each row of `below`. */
  #states(layer, below) {
    const {kernels} = this, {size, inputs} = layer, frames = below.length;
    const width = inputs + inputs % 2;
    return kernels.within(() => {
      const [sequences, hiddens, lengths, order] =
        [frames * width, frames * 2 * size, 2, 2].map((count) => kernels.alloc(count));
      kernels.list(BigInt64Array, [frames], lengths);
      below.forEach((row, frame) => kernels.floats(sequences + 4 * frame * width, inputs).set(row));
      kernels.run("bidirectional_forward", kernels.structure("Bidirectional", {
        ...layer, batch: 1, frames, threads: 1, lengths, order, sequences, hiddens}));
      return kernels.rows(hiddens, frames, 2 * size);
    });
  }
}

/** Describes the hand of a line, as Python's HandDescriptor does. */
export class HandDescriptor extends StrokeEncoder {
  constructor(module, file) {
    super(module, file);
    const moments = 2 * (this.channels + 2 * this.size);
    this.projection = linearLayer(this.kernels, file.tensors, "projection",
      file.tensors["projection.bias"]?.count, moments);
  }

  /** A list: the descriptor of a line times the line's weight, followed by the weight. */
  describe(strokes) {
    const [convolved, hidden] = this.encode(strokes), {length} = convolved;
    const frames = convolved.map((row, i) => [...row, ...hidden[i]]), weight = length / FRAMES;
    const moments = [1, 2].flatMap((power) =>
      frames[0].map((_, k) => sum(frames.map((frame) => frame[k] ** power)) / length));
    const [descriptor] = this.kernels.product(this.projection, moments);
    return [...descriptor.map((value) => value * weight), weight];
  }
}

/** Reads a row, as Python's CTCNetwork with LSTM cells does. */
export class CTCNetwork extends StrokeEncoder {
  constructor(module, file) {
    super(module, file);
    this.alphabet = [...file.header.alphabet];
    this.labels = linearLayer(this.kernels, file.tensors, "labels", this.alphabet.length + 1,
      2 * this.size);
  }

  /** The log-probabilities of the classes at each frame; the last class is the blank. */
  logProbs(strokes) {
    const hidden = this.encode(strokes).at(-1);
    return this.kernels.product(this.labels, concatenated(hidden), hidden.length).map((row) => {
      const largest = Math.max(...row);
      const total = Math.log(sum(row.map((logit) => Math.exp(logit - largest))));
      return row.map((logit) => logit - largest - total);
    });
  }

  /** The text of a list of classes. */
  #textOf(labels) { return labels.map((label) => this.alphabet[label]).join(""); }

  /** The text of a row. */
  readText(strokes) {
    return this.#textOf(greedy(this.logProbs(strokes)).map(({label}) => label));
  }

  /** Read a row: {text, words, doubtful, isDrawing}. A word is {text, strokes, probability,
   * alternatives}; `strokes` are the indices of its strokes, which may be other words' as well.
   * `doubtful` has the place [start, end] in the text of each doubtful word. A row whose characters
   * are mostly doubtful may be a drawing. */
  read(strokes) {
    const logProbs = this.logProbs(strokes), characters = greedy(logProbs);
    const text = this.#textOf(characters.map(({label}) => label)), spans = wordsOf(text);
    const owned = spans.length ? this.#strokesOf(strokes, characters, spans) : [];
    const words = spans.map(([start, end], i) => ({text: text.slice(start, end),
      strokes: owned[i], ...this.#evidence(logProbs, characters, start, end)}));
    const doubtful = spans.filter((span) => characters.slice(...span).some(isDoubtful));
    const isDrawing = characters.filter(isDoubtful).length > characters.length / 2;
    return {text, words, doubtful, isDrawing};
  }

  /** The probability and the alternatives of the word of some characters; see `_evidence` in ink_words.py. */
  #evidence(logProbs, characters, start, end) {
    const withBlanks = characters.slice(Math.max(start - 1, 0), end + 1);
    const probability = withBlanks.reduce((product, one) => product * one.probability, 1);
    if (probability >= MAX_DOUBTED_PROBABILITY) return {probability, alternatives: []};
    const first = (characters[start - 1]?.frames.at(-1) ?? -1) + 1;
    const frames = logProbs.slice(first, characters[end]?.frames[0]);
    if (frames.length > MAX_FRAMES) return {probability, alternatives: []};
    const text = this.#textOf(characters.slice(start, end).map(({label}) => label));
    const readings = beam(frames).map((labels) => this.#textOf(labels).trim().replace(/ +/g, " "));
    const alternatives = [...new Set(readings)].filter((reading) => reading && reading !== text);
    return {probability, alternatives};
  }

  /** The indices of the strokes of each word; `spans` are the words' places among `characters`. See
   * `read_words` in ink_words.py. */
  #strokesOf(strokes, characters, spans) {
    const {strokes: ordered, rows} = places(strokes, this.header.features);
    const middles = characters.map(({frames}) => sum(frames.map((frame) =>
      rows[Math.min(STRIDE * frame, rows.length - 1)])) / frames.length);
    const points = sum(ordered.map((stroke) => stroke.length)), count = characters.length;
    let edge = 0; // where a character begins; each has at least one point
    const edges = middles.map((middle, i) => {
      if (i) edge = Math.max(edge + 1, Math.round((middles[i - 1] + middle) / 2));
      return Math.min(edge, points - count + i);
    });
    const words = spans.map(([start, end]) =>
      ({from: edges[start], to: edges[end] ?? points, strokes: [], touched: []}));
    let end = 0, last = words[0];
    for (const stroke of ordered) {
      const begin = end, share = ({from, to}) => Math.min(to, end) - Math.max(from, begin);
      end += stroke.length;
      let owners = words.filter((word) => share(word) > MIN_STROKE_FRACTION * stroke.length);
      const [most] = words.toSorted((a, b) => share(b) - share(a)), index = strokes.indexOf(stroke);
      if (owners.length < 2) owners = [share(most) > 0 ? most : last];
      for (const word of owners) word.strokes.push(index);
      for (const word of words) if (share(word) > 0) word.touched.push(index);
      last = owners.at(-1);
    }
    return words.map(({strokes, touched}) => (strokes.length ? strokes : touched));
  }
}

/** x Phi(x), with approximation 7.1.26 of Abramowitz and Stegun (absolute error below 1.5e-7). */
function gelu(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) * Math.SQRT1_2);
  const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const polynomial = factors.reduce((value, factor) => value * t + factor, 0);
  const tail = 0.5 * t * polynomial * Math.exp(-x * x / 2);
  return x * (x < 0 ? tail : 1 - tail);
}
