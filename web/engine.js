// The compiled kernels of engine.wasm and their memory. Runs in a browser and in Node.

const LANES = 4; // numbers of a vector, to which rows of products are padded
export const padded = (count) => Math.ceil(count / LANES) * LANES;

/** An instance of engine.wasm. Pointers are numbers; matrices are lists of rows. */
export class Kernels {
  constructor(module) {
    this.c = new WebAssembly.Instance(module).exports;
    this.layouts = {Layer: this.#layout("Layer"), Writing: this.#layout("Writing")};
  }

  /** Of each field of a structure of C the kind of its numbers and its place; and the `size`. */
  #layout(name) {
    const bytes = new Uint8Array(this.c.memory.buffer, this.c[`${name}_fields`]());
    const declared = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    const fields = {};
    let size = 0;
    for (const declaration of declared.split(";")) {
      const Kind = declaration.includes("*") ? Uint32Array
        : declaration.includes("int64_t") ? BigInt64Array : Float32Array;
      const width = Kind.BYTES_PER_ELEMENT;
      for (const [, field, count = 1] of declaration.matchAll(/(\w+)(?:\[(\d+)\])?(?=,|$)/g)) {
        const place = Math.ceil(size / width) * width;
        fields[field] = {Kind, place};
        size = place + width * count;
      }
    }
    return {fields, size};
  }

  /** A view of numbers, which is lost where the memory grows. */
  floats(pointer, count) { return new Float32Array(this.c.memory.buffer, pointer, count); }

  /** Copies of rows of numbers, each `stride` after the one before. */
  rows(pointer, count, columns, stride = columns) {
    return Array.from({length: count}, (_, row) =>
      this.floats(pointer + 4 * row * stride, columns).slice());
  }

  /** Room for numbers: copies of `values`, then zeros. */
  alloc(count, values = []) {
    const pointer = this.c.calloc(count, 4);
    if (!pointer) throw new Error("There is not enough memory for that.");
    this.floats(pointer, count).set(values);
    return pointer;
  }

  /** Fill fields of a structure of C, by default of a new one, whose others are 0. */
  structure(name, values, pointer = this.alloc(this.layouts[name].size / 4)) {
    for (const [field, value] of Object.entries(values)) {
      const {Kind, place} = this.layouts[name].fields[field];
      this.list(Kind, [value].flat(), pointer + place);
    }
    return pointer;
  }

  list(Kind, values, pointer = this.alloc(values.length * Kind.BYTES_PER_ELEMENT / 4)) {
    const numbers = Kind === BigInt64Array ? values.map(BigInt) : values;
    new Kind(this.c.memory.buffer, pointer, values.length).set(numbers);
    return pointer;
  }

  /** Call a kernel that returns 0, or 1 without memory. */
  run(kernel, structure) {
    const failure = this.within(() => this.c[kernel](structure));
    if (failure) throw new Error("There is not enough memory for that.");
  }

  /** Pack a matrix for products; `groups` are an LSTM's gates. */
  pack(rows, groups = 1) {
    const columns = rows[0].length, share = rows.length / groups;
    const target = this.alloc(columns * groups * padded(share));
    this.within(() => {
      const source = this.alloc(rows.length * columns);
      rows.forEach((row, i) => this.floats(source + 4 * i * columns, columns).set(row));
      const sizes = [columns, groups, share].map(BigInt);
      this.c.pack(...sizes, source, 1n, BigInt(columns), target);
    });
    return target;
  }

  /** A linear layer, packed; `bias` is a list of rows of one number, or empty. */
  linear(rows, bias) {
    const place = this.alloc(padded(rows.length), bias.flatMap(([value]) => value));
    return {count: rows.length, columns: rows[0].length, weights: this.pack(rows), bias: place};
  }

  /** The outputs of a linear layer for each row of inputs, `stride` after the one before. */
  product({count, columns, weights, bias}, inputs, rows = 1, stride = columns) {
    return this.within(() => {
      const left = this.alloc(inputs.length, inputs), out = this.alloc(rows * padded(count));
      this.c.linear(left, stride, rows, columns, weights, bias, count, out);
      return this.rows(out, rows, count, padded(count));
    });
  }

  /** What was allocated in `work` is freed at its end. */
  within(work) {
    const top = this.c.mark();
    try {
      return work();
    } finally {
      this.c.release(top);
    }
  }
}
