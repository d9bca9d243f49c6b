// node run.mjs ROOT PYTHON: installs the packages of ROOT/build/npm in a folder, and runs the tests there by this Node, and
// those that load the library again by a newer one, which has SQLite inside.  Ends with a table.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

import { install } from "./install.mjs";
import { serve } from "./registry.mjs";

const [ROOT, PYTHON] = process.argv.slice(2).map((each) => resolve(each));
const here = import.meta.dirname;
const work = join(ROOT, "build/npm-test"); // the drivers are here, ours in the folder app, whose programs see both
const app = join(work, "app");

function run(command, args, options) {
  return spawnSync(command, args, { stdio: "inherit", ...options }).status;
}

mkdirSync(work, { recursive: true });
const pins = join(work, "package.json");
if (!existsSync(pins) || !readFileSync(pins).equals(readFileSync(join(here, "package.json")))) {
  copyFileSync(join(here, "package.json"), pins);
  const quiet = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  if (run("npm", ["install", ...quiet], { cwd: work }) !== 0) {
    rmSync(pins);
    process.exit(1);
  }
}

rmSync(app, { recursive: true, force: true });
const registry = await serve(join(ROOT, "build/npm"));
await install(app, registry.url);
await registry.close();
for (const name of readdirSync(here)) copyFileSync(join(here, name), join(app, name === "package.json" ? "pins.json" : name));

const newer = join(work, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
const tests = readdirSync(app).filter((name) => name.endsWith(".test.mjs"));
const loading = tests.filter((name) => !/^(packages|types)\./.test(name));
const runs = [[process.execPath, tests], ...(existsSync(newer) ? [[newer, loading]] : [])];
const counts = join(work, "counts.jsonl");
const reporters = ["spec", "stdout", "./counts.mjs", counts];
const flags = reporters.map((each, i) => `--test-reporter${i % 2 ? "-destination" : ""}=${each}`);
const env = { ...process.env, ROOT, PYTHON };
const rows = [];
let failed = false;
for (const [node, files] of runs) {
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
  for (const file of files) {
    failed = run(node, ["--no-warnings", "--test", ...flags, file], { cwd: app, env }) !== 0 || failed;
    const told = readFileSync(counts, "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const outcomes = ["passed", "failed", "skipped"].map((outcome) => told.filter((each) => each.outcome === outcome).length);
    const why = new Set(told.map((each) => each.why).filter((each) => each !== undefined));
    rows.push([file.split(".")[0], version, ...outcomes, [...why].join("; ")]);
  }
}

const show = ([what, version, ...rest]) =>
  `${what.padEnd(16)}${version.padEnd(12)}${rest.map((each, i) => (i < 3 ? String(each).padStart(8) : `  ${each}`)).join("")}`;
console.log([["tests", "node", "passed", "failed", "skipped", "why"], ...rows].map(show).map((line) => line.trimEnd()).join("\n"));
process.exit(failed ? 1 : 0);
