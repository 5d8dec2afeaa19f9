// The compiled kernels of engine.wasm: their memory and their structures. Runs in a browser and in
// Node.

export const LANES = 4; // numbers of a vector, to which rows of products are padded
export const padded = (count) => Math.ceil(count / LANES) * LANES;
export const even = (count) => count + (count % 2);

// A message for a person.
export class UserError extends Error {}

// A structure of C: integers of 8 bytes, then numbers and pointers of 4.
function layout(integers, floats, pointers) {
  const fields = new Map();
  let bytes = 0;
  const kinds = [
    [integers, "setBigInt64", 8], [floats, "setFloat32", 4], [pointers, "setUint32", 4],
  ];
  for (const [names, method, size] of kinds) {
    for (const name of names.split(" ")) {
      fields.set(name, [method, bytes]);
      bytes += size;
    }
  }
  return { fields, bytes: Math.ceil(bytes / 8) * 8 };
}

// `Layer` of lstm.c and `Writing` of sampling.c, whose arrays are taken apart.
export const LAYER = layout(
  "steps batch size inputs vocab_size components places threads width",
  "bound",
  "bias window_bias weights window_weights weights_backward window_weights_backward text " +
    "text_lengths joint gates cells kappas exponentials phis d_hiddens d_windows d_inputs " +
    "d_gates d_parameters d_cell d_kappa d_joint",
);
export const WRITING = layout(
  "steps batch layers size vocab_size components places mixtures lstm threads ends parity",
  "log_min_scale_x log_min_scale_y max_correlation pen_pivot pen_sharpness",
  "weights gate_biases widths joints window_weights output_weights window_bias output_bias text " +
    "text_lengths hiddens cells kappas parameters raw bias uniform normal points phis",
);

// An instance of engine.wasm with a memory of its own. Pointers are numbers; views of the memory
// are lost where it grows, so they are made anew after each allocation.
export class Kernels {
  constructor(module) {
    this.c = new WebAssembly.Instance(module).exports;
    const sizes = [this.c.layer_bytes(), this.c.writing_bytes()];
    if (sizes[0] !== LAYER.bytes || sizes[1] !== WRITING.bytes)
      throw new Error("engine.wasm is not of this engine.js");
  }

  floats(pointer, count) {
    return new Float32Array(this.c.memory.buffer, pointer, count);
  }

  // Room for numbers: copies of `values`, then zeros.
  alloc(count, values = []) {
    const pointer = this.c.malloc(4 * count);
    if (!pointer) throw new UserError("There is not enough memory for that.");
    const place = this.floats(pointer, count);
    place.fill(0);
    place.set(values);
    return pointer;
  }

  integers(values) {
    const pointer = this.alloc(2 * values.length);
    new BigInt64Array(this.c.memory.buffer, pointer, values.length).set(values.map(BigInt));
    return pointer;
  }

  pointers(values) {
    const pointer = this.alloc(values.length);
    new Uint32Array(this.c.memory.buffer, pointer, values.length).set(values);
    return pointer;
  }

  // A structure; what is not given is 0.
  structure(kind, values) {
    const pointer = this.alloc(kind.bytes / 4);
    this.set(kind, pointer, values);
    return pointer;
  }

  set({ fields, bytes }, pointer, values) {
    const view = new DataView(this.c.memory.buffer, pointer, bytes);
    for (const [name, value] of Object.entries(values)) {
      const [method, at] = fields.get(name);
      view[method](at, method === "setBigInt64" ? BigInt(value) : value, true);
    }
  }

  // Call a kernel that returns 0, or 1 without memory.
  run(kernel, structure) {
    const failure = this.within(() => this.c[kernel](structure));
    if (failure) throw new UserError("There is not enough memory for that.");
  }

  // Pack a layer's weights, rows of `columns` numbers, for products; `groups` are an LSTM's gates.
  pack(weights, columns, groups = 1) {
    const rows = weights.length / columns / groups;
    const target = this.alloc(columns * groups * padded(rows));
    const numbers = [columns, groups, rows].map(BigInt);
    this.within(() => this.c.pack(
      ...numbers, this.alloc(weights.length, weights), 1n, BigInt(columns), target));
    return target;
  }

  // An output layer, or a convolution, packed.
  linear(weights, bias) {
    const [rows, columns] = [bias.length, weights.length / bias.length];
    const place = this.alloc(padded(rows), bias);
    return { rows, columns, weights: this.pack(weights, columns), bias: place };
  }

  // What was allocated in `work` is freed at its end.
  within(work) {
    const top = this.c.mark();
    try {
      return work();
    } finally {
      this.c.release(top);
    }
  }
}
