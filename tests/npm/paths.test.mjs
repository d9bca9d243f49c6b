// Where the library is looked for: in Electron's archive, with musl, and where it is not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

import { load } from "sqlite-ann";

const modules = dirname(dirname(createRequire(import.meta.url).resolve("sqlite-ann")));
const library = readdirSync(modules).find((name) => name.startsWith("sqlite-ann-"));
const work = mkdtempSync(join(tmpdir(), "sqlite-ann-"));
after(() => rmSync(work, { recursive: true }));

// A folder with a copy of what was installed; each has an index.js of its own, as each program has.
function copied(...into) {
  const folder = join(work, ...into);
  for (const name of ["sqlite-ann", library]) cpSync(join(modules, name), join(folder, "node_modules", name), { recursive: true });
  return createRequire(join(folder, "main.js"));
}

// What a process prints in which something was replaced before it asked for the path.
function pathIn(folder, first) {
  const code = `${first}; try { console.log(require("sqlite-ann").getLoadablePath()) } catch (e) { console.log(e.message) }`;
  return execFileSync(process.execPath, ["-e", code], { cwd: folder, encoding: "utf8" }).trim();
}

test("of a path inside an archive, the file beside the archive is meant", () => {
  const inside = copied("electron", "resources", "app.asar");
  cpSync(join(work, "electron/resources/app.asar"), join(work, "electron/resources/app.asar.unpacked"), { recursive: true });
  const path = inside("sqlite-ann").getLoadablePath();
  const beside = join(work, "electron/resources/app.asar.unpacked/node_modules", library);
  assert.equal(dirname(path), beside);
});

test("a library that was packed into the archive is told by a sentence", () => {
  const inside = copied("packed", "app.asar");
  assert.throws(
    () => inside("sqlite-ann").getLoadablePath(),
    (error) => error.message.includes("expected the file") && error.message.includes(`name ${library} in asarUnpack`),
  );
});

test("a folder whose name only looks like an archive's is left alone", () => {
  const path = copied("my.asar.d")("sqlite-ann").getLoadablePath();
  assert.ok(path.includes("my.asar.d") && !path.includes("unpacked"));
});

test("with musl, the library for musl is asked for", { skip: process.platform !== "linux" }, () => {
  copied("musl");
  const manifest = join(work, "musl/node_modules/sqlite-ann/package.json");
  const name = `sqlite-ann-linux-${process.arch}-musl`;
  writeFileSync(manifest, JSON.stringify({ optionalDependencies: { [name]: "*" } }));
  const said = pathIn(join(work, "musl"), "process.report.getReport = () => ({ header: {} })");
  assert.ok(said.startsWith(`sqlite-ann: expected the package ${name} beside it, which is not installed`), said);
});

test("a package that was left out is named", () => {
  copied("left-out");
  renameSync(join(work, "left-out/node_modules", library), join(work, "left-out/gone"));
  const said = pathIn(join(work, "left-out"), "");
  assert.ok(said.startsWith(`sqlite-ann: expected the package ${library} beside it, which is not installed`), said);
});

test("a platform that there is no package for is told those that there are", () => {
  copied("elsewhere");
  const said = pathIn(join(work, "elsewhere"), "Object.defineProperty(process, 'platform', { value: 'sunos' })");
  assert.match(said, /^sqlite-ann: expected a platform of .*linux-x64.*, got sunos-/);
});

test("what is no connection is refused", () => {
  assert.throws(() => load("songs.db"), { name: "TypeError", message: /expected a connection .*, got songs\.db$/ });
  assert.throws(() => load(null), { name: "TypeError", message: /got null$/ });
  assert.throws(() => load(new Map()), { name: "TypeError", message: /got an object of Map$/ });
});

test("a driver without a switch is given the path", () => {
  const given = [];
  load({ loadExtension: (path) => given.push(path) });
  assert.equal(given.length, 1);
  assert.match(given[0], /sqlite_ann\.\w+$/);
});
