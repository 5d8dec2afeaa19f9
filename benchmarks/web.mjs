// For web.py, in a browser: the steps of a line in a second, by the engine of web/ and by plain
// JavaScript.

import { sum } from "../web/ink.js";
import { parse, Writer } from "../web/networks.js";
import { TorchRandom } from "../web/random.js";
import { encode } from "../web/text.js";

const STEPS = 256; // by plain JavaScript: a BLOCK of networks.js, whose random numbers they have
const BIAS = 0.75;
const PEN_PIVOT = -1.5; // as in networks.js
const logistic = (x) => 1 / (1 + Math.exp(-x));

/** A function that multiplies a vector by matrices that stand side by side; four rows at a time,
 * which lie in each other and whose sums do not wait for each other. */
function product(matrices) {
  const rows = matrices[0].map((_, row) => matrices.flatMap((matrix) => [...matrix[row]]));
  const out = new Float32Array(4 * Math.ceil(rows.length / 4));
  const weights = new Float32Array(out.length * rows[0].length);
  rows.forEach((row, n) => row.forEach((weight, i) => {
    weights[(n - n % 4) * row.length + 4 * i + n % 4] = weight;
  }));
  return (input) => {
    for (let row = 0, at = 0; row < out.length; row += 4) {
      let a = 0, b = 0, c = 0, d = 0;
      for (let i = 0; i < input.length; i++, at += 4) {
        a += weights[at] * input[i];
        b += weights[at + 1] * input[i];
        c += weights[at + 2] * input[i];
        d += weights[at + 3] * input[i];
      }
      out.set([a, b, c, d], row);
    }
    return out;
  };
}

/** The step of a writer that has begun a line: what write_lines of sampling.c computes. */
function plainStep({ tensors, header, layers, size, inputs, vocabSize, text, point }) {
  const of = (prefix, ...names) => product(names.map((name) => tensors[prefix + name]));
  const gatesOf = layers.map((_, n) => n
    ? of(`layers.${n}.layer.`, "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    : of("layers.0.", "weight_input", "weight_window", "weight_hidden", "bias"));
  const windowOf = of("layers.0.window.", "weight", "bias");
  const outputOf = of("output.", "weight", "bias");
  const zeros = (count) => new Float32Array(count), below = inputs + vocabSize;
  const components = tensors["layers.0.window.bias"].length / 3, kappas = zeros(components);
  const mixtures = Math.floor(tensors["output.bias"].length / 6);
  const cells = layers.map(() => zeros(size));
  const hiddens = zeros(layers.length * size + 1).fill(1, -1);
  // What a layer sees: point, window, the layer below, its own hidden state, and ones for biases.
  const joints = layers.map((_, n) =>
    n ? zeros(below + 2 * size + 2).fill(1, -2) : zeros(below + size + 1).fill(1, -1));
  const show = (values, at) => joints.forEach((joint) => joint.set(values, at));
  show(point, 0);

  function look() {
    const parameters = windowOf(joints[0].subarray(below)).map(Math.exp), window = zeros(vocabSize);
    kappas.forEach((_, k) => { kappas[k] += parameters[2 * components + k]; });
    text.forEach((character, u) => kappas.forEach((kappa, k) => {
      const away = parameters[components + k] * (kappa - u - 1) ** 2;
      window[character] += parameters[k] * Math.exp(-away);
    }));
    show(window, inputs);
  }

  function draw(raw, uniform, normal, { max_correlation, min_scales, pen_sharpness }) {
    const logits = raw.slice(1, 1 + mixtures), largest = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp((logit - largest) * (1 + BIAS)));
    let chosen = 0, left = uniform[0] * sum(weights);
    while (chosen < mixtures - 1 && (left -= weights[chosen]) >= 0) chosen++;
    const [x, y, dx, dy, c] = [1, 2, 3, 4, 5].map((kind) => raw[1 + kind * mixtures + chosen]);
    const scales = [dx, dy].map((log, i) =>
      Math.max(Math.exp(log), min_scales[i]) * Math.exp(-BIAS));
    const rho = max_correlation * Math.tanh(c), pen = pen_sharpness * BIAS * (-raw[0] - PEN_PIVOT);
    const other = rho * normal[0] + Math.sqrt(1 - rho * rho) * normal[1];
    const end = Number(uniform[1] < logistic(pen - raw[0]));
    return [x + scales[0] * normal[0], y + scales[1] * other, end, 0];
  }

  return (uniform, normal) => {
    for (const [n, joint] of joints.entries()) {
      const gates = gatesOf[n](joint), hidden = hiddens.subarray(n * size, (n + 1) * size);
      const [o, g] = n ? [3 * size, 2 * size] : [2 * size, 3 * size]; // torch's and our own order
      for (let k = 0; k < size; k++) {
        const added = logistic(gates[k]) * Math.tanh(gates[g + k]);
        cells[n][k] = logistic(gates[size + k]) * cells[n][k] + added;
        hidden[k] = logistic(gates[o + k]) * Math.tanh(cells[n][k]);
      }
      joint.set(hidden, n ? below + size : below);
      joints[n + 1]?.set(hidden, below);
      if (n === 0) look();
    }
    const next = draw(outputOf(hiddens), uniform, normal, header.sampling);
    show(next, 0);
    return next;
  };
}

const network = await parse(new Uint8Array(await (await fetch("/writer.bin")).arrayBuffer()), "");
const writer = new Writer(await WebAssembly.compileStreaming(fetch("/web/engine.wasm")), network);

/** The steps in a second of both, and the largest difference in their points. */
export function measure(text, seed) {
  const { alphabet, normalisation: { mean, std } } = writer.header, random = new TorchRandom(seed);
  writer.begin([0, 0, 0], encode(text, alphabet), 0, { bias: BIAS, stretch: [1, 1] });
  const step = plainStep(writer), numbers = [random.uniform(2 * STEPS), random.normal(2 * STEPS)];
  const times = [performance.now()];
  const ink = [...writer.write(seed, 2000)].flat();
  times.push(performance.now());
  const points = Array.from({ length: STEPS }, (_, i) =>
    step(...numbers.map((own) => own.subarray(2 * i))));
  times.push(performance.now());
  const away = points.slice(0, 50).flatMap((point, i) => [0, 1].map((axis) =>
    Math.abs((ink[3 * i + axis] - mean[axis]) / std[axis] - point[axis])));
  const rates = [ink.length / 3, STEPS].map((steps, i) => 1000 * steps / (times[i + 1] - times[i]));
  return [...rates, Math.max(...away)];
}
