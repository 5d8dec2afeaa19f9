declare module "open-reader" { const bytes: Uint8Array; export default bytes; }
declare module "*.wasm" { const bytes: Uint8Array; export default bytes; }
