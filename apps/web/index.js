// The package: writes and reads handwriting. See README.md; index.d.ts has the types.

export {HandwritingError} from "./checks.js";
export {fromInkml, toInkml} from "./inkml.js";
export {loadReader, neat} from "./reader.js";
export {loadWriter} from "./writer.js";
