// Reads the files of `experiments.py export NETWORK.bin`; apps/web/flat_file.py has the format.

const FORMAT = "online-handwriting/3";
const DIGEST_BYTES = 32, MAX_HEADER = 2 ** 20;
const BYTES = {float32: 4, float16: 2, int8: 1}; // bytes of a number, for each type of a tensor
// Keys that the header of a file lacks, for each role of a network.
const UNUSED = new Map([
  ["writer", ["features"]],
  ["reader", ["sampling"]],
  ["descriptor", ["licence", "alphabet", "architecture", "normalisation", "sampling"]],
]);
const OPTIONAL = ["hands", "biases", "styles"]; // keys that any header may lack

const isText = (value) => typeof value === "string", isNumber = Number.isFinite;
const isSize = (value) => Number.isSafeInteger(value) && value > 0;
const areNumbers = (value) => Array.isArray(value) && value.every(isNumber);
const arePair = (value) => areNumbers(value) && value.length === 2;
const isTensor = (value) => Array.isArray(value) && isText(value[0]) &&
  Object.hasOwn(BYTES, value[1]) && [3, 4, 5].includes(value.length) &&
  value.slice(2).every(isSize);
// Conditions, each with the keys of a header whose values must fulfil the condition.
const KEYS = [
  [(value) => UNUSED.has(value), "role"],
  [(value) => value?.constructor === Object, "styles"],
  [isText, "name licence alphabet architecture.type styles.*.text"],
  [arePair, "normalisation.mean normalisation.std sampling.min_scales"],
  [isNumber, "sampling.bias sampling.pen_sharpness sampling.stretch sampling.max_correlation"],
  [isNumber, "sampling.x_height sampling.baseline features.spacing styles.*.x_height"],
  [areNumbers, "styles.*.ink"],
  [(value) => value === undefined || arePair(value), "styles.*.stretch"],
  [(value) => value?.constructor === Object && Object.values(value).every(areNumbers), "hands"],
  [(value) => value?.constructor === Object && Object.values(value).every(isNumber), "biases"],
  [(value) => value === null || isSize(value), "sampling.longest"],
  [isSize, "features.parts"],
  [(value) => Array.isArray(value) && value.every(isTensor), "tensors"],
];

/** Return {header, tensors} of a file; `rowsOf` decodes the tensors. An Error names a fault. */
export async function parse(bytes, name) {
  const refused = (reason) => new Error(`${name}: ${reason}; export it again.`);
  const start = bytes.subarray(0, MAX_HEADER).indexOf(10) + 1;
  let header = null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", {fatal: true}).decode(bytes.subarray(0, start)));
  } catch { /* the file has no header */ }
  if (header?.format !== FORMAT)
    throw header?.format ? refused("written by another version of the program")
      : new Error(`${name}: this is no file of a network.`);
  const missing = OPTIONAL.filter((key) => !(key in header));
  const unused = missing.concat(UNUSED.get(header.role) ?? []);
  for (const [fits, keys] of KEYS)
    for (const key of keys.split(" ").flatMap((key) => key.includes("*")
      ? Object.keys(header.styles ?? {}).map((style) => key.replace("*", style)) : key)) {
      const names = key.split("."), value = names.reduce((parent, part) => parent?.[part], header);
      if (!unused.includes(names[0]) && !fits(value)) throw refused(`${key} is missing or wrong`);
    }
  const tensors = {};
  let end = start;
  for (const [tensor, kind, count, ...others] of header.tensors) {
    const columns = others.reduce((product, size) => product * size, 1);
    const size = count * (columns * BYTES[kind] + (kind === "int8" ? 4 : 0));
    tensors[tensor] = {kind, count, columns, content: bytes.subarray(end, end += size)};
  }
  let isWhole = bytes.length === end + DIGEST_BYTES;
  if (isWhole && globalThis.crypto?.subtle) { // insecure origins have no crypto.subtle
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(0, end)));
    isWhole = digest.every((byte, index) => byte === bytes[end + index]);
  }
  if (!isWhole) throw refused("damaged or incomplete");
  return {header, tensors};
}

/** The rows of a tensor: `count` rows of `columns` finite numbers. */
export function rowsOf(tensors, name, count, columns) {
  const tensor = tensors[name];
  if (tensor?.count !== count || tensor.columns !== columns)
    throw new Error(`The network's ${name} is missing or has another shape; export it again.`);
  const {buffer} = tensor.content.slice(), {kind} = tensor; // a copy, whose numbers are aligned
  let end = 0;
  const take = (Kind, length) => {
    const size = length * Kind.BYTES_PER_ELEMENT;
    return new Kind(buffer, (end += size) - size, length);
  };
  const scales = kind === "int8" && take(Float32Array, count);
  const rows = Array.from({length: count}, (_, row) => {
    if (kind === "float32") return take(Float32Array, columns);
    if (kind === "float16") return Float32Array.from(take(Uint16Array, columns), half);
    const values = new Float32Array(take(Int8Array, columns));
    for (let i = 0; i < columns; i++) values[i] *= scales[row];
    return values;
  });
  if (!rows.every((row) => row.every(isNumber)))
    throw new Error(`The network's ${name} has a value that is not a number; export it again.`);
  return rows;
}

/** The number that 16 bits encode as a float16; NaN also for an infinite one. */
function half(bits) {
  const exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent === 31) return NaN;
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits >> 15 ? -size : size;
}
