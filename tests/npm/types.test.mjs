// The types, by TypeScript, as a program in ESM and one in CommonJS import them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";

const here = import.meta.dirname;
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

const PROGRAM = `
import { DatabaseSync } from "node:sqlite";
import { DatabaseSync as Other } from "@photostructure/sqlite";
import { getLoadablePath, load } from "sqlite-ann";

load(new DatabaseSync(":memory:", { allowExtension: true }));
load(new Other(":memory:", { allowExtension: true }));
load({ loadExtension(path: string) { return path; } });
const path: string = getLoadablePath();
export { path };
`;
const WRONG = `
import { getLoadablePath, load } from "sqlite-ann";
load("songs.db");
const path: number = getLoadablePath();
export { path };
`;

function check(name, program) {
  writeFileSync(join(here, name), program);
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
  return spawnSync(process.execPath, [tsc, ...flags, name], { cwd: here, encoding: "utf8" });
}

for (const name of ["program.mts", "program.cts"]) {
  test(`${name} has types`, () => {
    const { status, stdout } = check(name, PROGRAM);
    assert.equal(stdout, "");
    assert.equal(status, 0);
  });

  test(`${name} that is wrong is refused`, () => {
    const { stdout } = check(`wrong-${name}`, WRONG);
    assert.deepEqual(stdout.match(/error TS\d+/g), ["error TS2345", "error TS2322"]);
  });
}
