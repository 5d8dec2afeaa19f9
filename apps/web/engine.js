// The compiled kernels of engine.wasm and their memory. Runs in a browser and in Node.

const LANES = 4; // numbers in a vector register
/** `count`, rounded up to a multiple of LANES. */
export const padded = (count) => Math.ceil(count / LANES) * LANES;

/** The functions and the memory of engine.wasm. A pointer is a number, a matrix a list of rows. */
export class Kernels {
  constructor(module) {
    this.c = new WebAssembly.Instance(module).exports;
    const names = ["Bidirectional", "Writing"];
    this.layouts = Object.fromEntries(names.map((name) => [name, this.#layout(name)]));
  }

  /** The `fields` of a structure of C, with a typed array's class and a byte offset each, and the
   * structure's `size` in bytes. */
  #layout(name) {
    const bytes = new Uint8Array(this.c.memory.buffer, this.c[`${name}_fields`]());
    const declared = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    const fields = {};
    let size = 0;
    for (const declaration of declared.split(";")) {
      let Kind = declaration.includes("int64_t") ? BigInt64Array : Float32Array;
      if (declaration.includes("*")) Kind = Uint32Array; // a pointer
      const width = Kind.BYTES_PER_ELEMENT;
      for (const [, field, count = 1] of declaration.matchAll(/(\w+)(?:\[(\d+)\])?(?=,|$)/g)) {
        const offset = Math.ceil(size / width) * width;
        fields[field] = {Kind, offset};
        size = offset + width * count;
      }
    }
    return {fields, size};
  }

  /** A view of `count` numbers in memory; the view becomes invalid when the memory grows. */
  floats(pointer, count) { return new Float32Array(this.c.memory.buffer, pointer, count); }

  /** A copy of a matrix in memory, whose rows begin `stride` numbers apart. */
  rows(pointer, count, columns, stride = columns) {
    return Array.from({length: count}, (_, row) =>
      this.floats(pointer + 4 * row * stride, columns).slice());
  }

  /** Allocate `count` numbers: copies of `values`, then zeros. Returns their pointer. */
  alloc(count, values = []) {
    const pointer = this.c.calloc(count, 4);
    if (!pointer) throw new Error("There is not enough memory.");
    this.floats(pointer, count).set(values);
    return pointer;
  }

  /** Fill fields of a structure of C, by default a new structure with zeros in the other fields. */
  structure(name, values, pointer = this.alloc(this.layouts[name].size / 4)) {
    for (const [field, value] of Object.entries(values)) {
      const {Kind, offset} = this.layouts[name].fields[field];
      this.list(Kind, [value].flat(), pointer + offset);
    }
    return pointer;
  }

  /** Copy `values` into memory, by default new memory, as numbers of a typed array's class. */
  list(Kind, values, pointer = this.alloc(values.length * Kind.BYTES_PER_ELEMENT / 4)) {
    const numbers = Kind === BigInt64Array ? values.map(BigInt) : values;
    new Kind(this.c.memory.buffer, pointer, values.length).set(numbers);
    return pointer;
  }

  /** Call a kernel that returns 1 if there is not enough memory, otherwise 0. */
  run(kernel, structure) {
    const failure = this.within(() => this.c[kernel](structure));
    if (failure) throw new Error("There is not enough memory.");
  }

  /** Pack a matrix for products; its rows form `groups`, one for each gate of an LSTM. */
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

  /** A packed linear layer. `bias` is a matrix of one column, or empty. */
  linear(rows, bias) {
    const pointer = this.alloc(padded(rows.length), bias.flatMap(([value]) => value));
    return {count: rows.length, columns: rows[0].length, weights: this.pack(rows), bias: pointer};
  }

  /** The outputs of a linear layer. `inputs` has `rows` rows that begin `stride` numbers apart. */
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
