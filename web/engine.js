// The compiled kernels of engine.wasm and their memory. Runs in a browser and in Node.

const LANES = 4; // numbers of a vector; rows of products are padded to a multiple
export const padded = (count) => Math.ceil(count / LANES) * LANES;

/** An instance of engine.wasm. Pointers are numbers; matrices are lists of rows. */
export class Kernels {
  constructor(module) {
    this.c = new WebAssembly.Instance(module).exports;
    this.layouts = {Layer: this.#layout("Layer"), Writing: this.#layout("Writing")};
  }

  /** The fields of a structure of C, each with its kind of number and its place, and the `size`. */
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

  /** A view of numbers, which becomes invalid when the memory grows. */
  floats(pointer, count) { return new Float32Array(this.c.memory.buffer, pointer, count); }

  /** Copies of rows of numbers, which begin `stride` numbers apart. */
  rows(pointer, count, columns, stride = columns) {
    return Array.from({length: count}, (_, row) =>
      this.floats(pointer + 4 * row * stride, columns).slice());
  }

  /** Allocate `count` numbers: copies of `values`, then zeros. */
  alloc(count, values = []) {
    const pointer = this.c.calloc(count, 4);
    if (!pointer) throw new Error("There is not enough memory for that.");
    this.floats(pointer, count).set(values);
    return pointer;
  }

  /** Fill fields of a structure of C, by default a new structure, whose other fields are 0. */
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

  /** Call a kernel that returns 0, or 1 if memory is lacking. */
  run(kernel, structure) {
    const failure = this.within(() => this.c[kernel](structure));
    if (failure) throw new Error("There is not enough memory for that.");
  }

  /** Pack a matrix for products; `groups` are an LSTM's gates. */
  pack(rows, groups = 1) {
    const columns = rows[0].length, rowsPerGroup = rows.length / groups;
    const target = this.alloc(columns * groups * padded(rowsPerGroup));
    this.within(() => {
      const source = this.alloc(rows.length * columns);
      rows.forEach((row, i) => this.floats(source + 4 * i * columns, columns).set(row));
      const sizes = [columns, groups, rowsPerGroup].map(BigInt);
      this.c.pack(...sizes, source, 1n, BigInt(columns), target);
    });
    return target;
  }

  /** A linear layer, packed; `bias` is a list of rows of one number, or empty. */
  linear(rows, bias) {
    const pointer = this.alloc(padded(rows.length), bias.flatMap(([value]) => value));
    return {count: rows.length, columns: rows[0].length, weights: this.pack(rows), bias: pointer};
  }

  /** The outputs of a linear layer for rows of inputs, which begin `stride` numbers apart. */
  product({count, columns, weights, bias}, inputs, rows = 1, stride = columns) {
    return this.within(() => {
      const left = this.alloc(inputs.length, inputs), out = this.alloc(rows * padded(count));
      this.c.linear(left, stride, rows, columns, weights, bias, count, out);
      return this.rows(out, rows, count, padded(count));
    });
  }

  /** Return the result of `work`, and free the memory that it allocated. */
  within(work) {
    const top = this.c.mark();
    try {
      return work();
    } finally {
      this.c.release(top);
    }
  }
}
