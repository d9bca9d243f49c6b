// A registry of npm that knows the packages of a folder of .tgz files and no other, on a port of this machine's own.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

// The one file of a tar archive, whose blocks are of 512 bytes: a head with the name and the size, then the file.
function fileIn(archive, name) {
  const bytes = gunzipSync(archive);
  for (let at = 0; at < bytes.length; ) {
    const head = bytes.subarray(at, at + 512).toString("latin1");
    const size = parseInt(head.slice(124, 136), 8);
    if (head.startsWith(`${name}\0`)) return bytes.subarray(at + 512, at + 512 + size);
    at += 512 * (1 + Math.ceil((size || 0) / 512));
  }
  throw new Error(`no ${name} in the archive`);
}

export function manifestOf(tarball) {
  return JSON.parse(fileIn(readFileSync(tarball), "package/package.json"));
}

export async function serve(folder) {
  const asked = [];
  const packages = new Map();
  for (const file of readdirSync(folder).filter((each) => each.endsWith(".tgz"))) {
    const data = readFileSync(join(folder, file));
    const manifest = manifestOf(join(folder, file));
    packages.set(manifest.name, { file, data, manifest });
  }
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url.slice(1)).split("?")[0];
    asked.push(name);
    const tarball = [...packages.values()].find(({ file }) => file === name);
    if (tarball) return response.end(tarball.data);
    const found = packages.get(name);
    if (!found) return response.writeHead(404).end("{}");
    const { version } = found.manifest;
    const integrity = `sha512-${createHash("sha512").update(found.data).digest("base64")}`;
    const dist = { tarball: `${url}/${found.file}`, integrity };
    const versions = { [version]: { ...found.manifest, dist } };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions }));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, asked, close: () => new Promise((closed) => (server.close(closed), server.closeAllConnections())) };
}
