// Where the extension is for this machine, and how a connection loads it. The file itself comes with a package of its
// own for each platform; npm installs the one that fits, because their `os`, `cpu` and `libc` say so.
"use strict";

const { existsSync } = require("node:fs");
const { optionalDependencies } = require("./package.json");

const SUFFIXES = { darwin: "dylib", win32: "dll" };

// As the package's name ends: linux-x64, linux-x64-musl, darwin-arm64 …
function platform() {
  const musl = process.platform === "linux" && isMusl() ? "-musl" : "";
  return `${process.platform}-${process.arch}${musl}`;
}

// Node's own report names the version of glibc where there is one.
function isMusl() {
  const { report } = process;
  if (!report) return false;
  const { excludeNetwork } = report;
  report.excludeNetwork = true; // else it asks for the names of all connections' ends, which takes time
  try {
    return !report.getReport().header.glibcVersionRuntime;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

function getLoadablePath() {
  const name = `sqlite-ann-${platform()}`;
  if (!(name in optionalDependencies)) {
    const known = Object.keys(optionalDependencies).map((each) => each.slice("sqlite-ann-".length));
    throw new Error(`sqlite-ann: expected a platform of ${known.join(", ")}, got ${platform()}`);
  }
  let path;
  try {
    path = require.resolve(`${name}/sqlite_ann.${SUFFIXES[process.platform] ?? "so"}`);
  } catch {
    throw new Error(
      `sqlite-ann: expected the package ${name} beside it, which is not installed: ` +
        "run npm install on this platform, without --omit=optional",
    );
  }
  // A library cannot be loaded from Electron's archive; what the packer leaves out is in a folder beside it.
  const unpacked = path.replace(/\.asar(?=[\\/])/g, ".asar.unpacked");
  if (unpacked !== path && !existsSync(unpacked)) {
    throw new Error(
      `sqlite-ann: expected the file ${unpacked}, which is not there: name ${name} in asarUnpack, ` +
        "so that it is kept out of the archive",
    );
  }
  return unpacked;
}

function load(db) {
  if (typeof db?.loadExtension !== "function") {
    throw new TypeError(`sqlite-ann: expected a connection with loadExtension(path), got ${describe(db)}`);
  }
  const path = getLoadablePath();
  if (typeof db.enableLoadExtension !== "function") return void db.loadExtension(path);
  try {
    db.loadExtension(path);
  } catch {
    // Switched off, as a rule; whatever else it was is said again.
    db.enableLoadExtension(true);
    try {
      db.loadExtension(path);
    } finally {
      db.enableLoadExtension(false);
    }
  }
}

function describe(value) {
  return value === null || typeof value !== "object" ? String(value) : `an object of ${value.constructor?.name}`;
}

module.exports = { getLoadablePath, load };
