/** The block of all series: base64, gzip, little-endian 16-bit integers. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Int16Array(await new Response(stream).arrayBuffer());
}

/** A function that reads a series of the block from one value on: all of it, or a number of values. */
function reader(block) {
  return ({ first, length, scale }, from = 0, count = length) =>
    Float32Array.from(block.subarray(first + from, first + from + count), (integer) => integer * scale);
}
