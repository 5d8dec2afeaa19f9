// Several files in one: ZIP (PKWARE's APPNOTE.TXT), whose members browsers compress.

const MEMBER = [20, 0, 8, 0, 33]; // version 2.0, no flags, DEFLATE, midnight, 1 January 1980
const GZIP_HEADER = 10, GZIP_TRAILER = 8; // bytes of a gzip file around its DEFLATE data

/** Numbers of `size` bytes each, little-endian. */
const numbers = (size, ...values) => values.flatMap((value) =>
  Array.from({length: size}, (_, i) => (value >>> (8 * i)) & 255));

/** A ZIP of files {name, content}; a name is ASCII. */
export async function toZip(files) {
  const members = [], directory = [];
  let offset = 0;
  for (const {name, content} of files) {
    const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
    const gzip = await new Response(stream).blob(), end = gzip.size - GZIP_TRAILER;
    const trailer = new Uint8Array(await gzip.slice(end).arrayBuffer()); // CRC-32, size
    const described = [...numbers(2, ...MEMBER), ...trailer.slice(0, 4),
      ...numbers(4, end - GZIP_HEADER), ...trailer.slice(4), ...numbers(2, name.length, 0)];
    const header = Uint8Array.from([...numbers(4, 0x04034b50), ...described]);
    members.push(header, name, gzip.slice(GZIP_HEADER, end));
    directory.push(Uint8Array.from([...numbers(4, 0x02014b50), ...numbers(2, 20), ...described,
      ...numbers(2, 0, 0, 0), ...numbers(4, 0, offset)]), name);
    offset += header.length + name.length + end - GZIP_HEADER;
  }
  const {size} = new Blob(directory), counts = [0, 0, files.length, files.length];
  const last = [...numbers(4, 0x06054b50), ...numbers(2, ...counts), ...numbers(4, size, offset)];
  return new Blob([...members, ...directory, Uint8Array.from([...last, 0, 0])]);
}
