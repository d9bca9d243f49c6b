// npm install of sqlite-ann into a folder, from a registry of ours, for any platform.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export async function install(folder, registry, options = []) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const cache = `--cache=${join(folder, ".npm-cache")}`; // not that of the user, which may have packages of these names
  const quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier", "--loglevel=error"];
  const command = ["install", "sqlite-ann", `--registry=${registry}`, cache, ...quiet, ...options];
  await promisify(execFile)("npm", command, { cwd: folder });
  const modules = join(folder, "node_modules");
  return existsSync(modules) ? readdirSync(modules).filter((name) => !name.startsWith(".")).sort() : [];
}
