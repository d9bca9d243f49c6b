// Also the example of the package's README, which uses this driver.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { testDriver } from "./driver.mjs";

const here = import.meta.dirname;

if (!isBuiltin("node:sqlite")) {
  test("node:sqlite", { skip: "this Node has no SQLite inside" }, () => {});
} else {
  const { DatabaseSync } = await import("node:sqlite");
  testDriver("node:sqlite", DatabaseSync);

  test("the example of the README prints what it shows", () => {
    const text = readFileSync(join(process.env.ROOT, ".ci/npm/README.md"), "utf8");
    const [, code, answer] = /```js\n(.*?)```\n\n```text\n(.*?)```/s.exec(text);
    writeFileSync(join(here, "example.mjs"), code);
    const said = execFileSync(process.execPath, ["--no-warnings", "example.mjs"], { cwd: here, encoding: "utf8" });
    rmSync(join(here, "songs.db"));
    assert.equal(said, answer);
  });
}
