// What the packages hold, and which of them npm installs where.  Those of all platforms are made of stand-ins for wheels.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { install } from "./install.mjs";
import { manifestOf, serve } from "./registry.mjs";

const { ROOT, PYTHON } = process.env;
const work = mkdtempSync(join(tmpdir(), "sqlite-ann-"));
const packed = join(work, "npm");
let registry;

before(async () => {
  execFileSync(PYTHON, [join(ROOT, "tests/npm/wheels.py"), join(work, "wheels")]);
  execFileSync(PYTHON, [join(ROOT, ".ci/npm/build.py"), join(work, "wheels"), packed]);
  registry = await serve(packed);
});
after(async () => {
  await registry.close();
  rmSync(work, { recursive: true });
});

const FITTING = [
  ["linux", "x64", "glibc", "sqlite-ann-linux-x64"],
  ["linux", "x64", "musl", "sqlite-ann-linux-x64-musl"],
  ["linux", "arm64", "glibc", "sqlite-ann-linux-arm64"],
  ["linux", "arm64", "musl", "sqlite-ann-linux-arm64-musl"],
  ["linux", "arm", "glibc", "sqlite-ann-linux-arm"],
  ["linux", "riscv64", "glibc", "sqlite-ann-linux-riscv64"],
  ["darwin", "x64", "", "sqlite-ann-darwin-x64"],
  ["darwin", "arm64", "", "sqlite-ann-darwin-arm64"],
  ["win32", "x64", "", "sqlite-ann-win32-x64"],
  ["win32", "arm64", "", "sqlite-ann-win32-arm64"],
];
const NOT_FITTING = [
  ["linux", "ia32", "glibc"],
  ["linux", "riscv64", "musl"],
  ["freebsd", "x64", ""],
];
const asked = (os, cpu, libc) => [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])];

test("every package has the version of the project, and no scripts", () => {
  const version = /^version = "(.*)"$/m.exec(readFileSync(join(ROOT, "pyproject.toml"), "utf8"))[1];
  const manifests = readdirSync(packed).filter((each) => each.endsWith(".tgz")).map((each) => manifestOf(join(packed, each)));
  assert.equal(manifests.length, FITTING.length + 1);
  for (const manifest of manifests) {
    assert.equal(manifest.version, version);
    assert.equal(manifest.scripts, undefined);
    for (const wanted of Object.values(manifest.optionalDependencies ?? {})) assert.equal(wanted, version);
  }
});

test("the same packages are made twice", () => {
  const again = join(work, "again");
  execFileSync(PYTHON, [join(ROOT, ".ci/npm/build.py"), join(work, "wheels"), again]);
  for (const name of readdirSync(packed).filter((each) => each.endsWith(".tgz"))) {
    assert.ok(readFileSync(join(packed, name)).equals(readFileSync(join(again, name))), name);
  }
});

for (const [os, cpu, libc, name] of FITTING) {
  test(`npm installs ${name} for ${os} ${cpu} ${libc}`, async () => {
    const folder = join(work, name);
    assert.deepEqual(await install(folder, registry.url, asked(os, cpu, libc)), ["sqlite-ann", name].sort());
    const library = readdirSync(join(folder, "node_modules", name)).filter((each) => each.startsWith("sqlite_ann."));
    assert.deepEqual(library, [{ darwin: "sqlite_ann.dylib", win32: "sqlite_ann.dll" }[os] ?? "sqlite_ann.so"]);
    assert.notEqual(readFileSync(join(folder, "node_modules", name, library[0]), "utf8"), "an older one");
  });
}

for (const [os, cpu, libc] of NOT_FITTING) {
  test(`npm installs no library for ${os} ${cpu} ${libc}, and does not fail`, async () => {
    assert.deepEqual(await install(join(work, `${os}-${cpu}`), registry.url, asked(os, cpu, libc)), ["sqlite-ann"]);
  });
}
