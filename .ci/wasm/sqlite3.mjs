// node sqlite3.mjs FOLDER [arguments of sqlite3]: SQLite's shell as WebAssembly, which sees no file outside the folder.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [folder, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["sqlite3", ...rest], env: { HOME: "." }, preopens: { ".": folder } });
const shell = await WebAssembly.compile(readFileSync(new URL("sqlite3.wasm", import.meta.url)));
process.exitCode = wasi.start(await WebAssembly.instantiate(shell, wasi.getImportObject()));
