// The extension in a driver, used as the driver's user does.  A process has one driver, for each brings a SQLite of its own.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import * as imported from "sqlite-ann";

const required = createRequire(import.meta.url)("sqlite-ann");
const DIM = 16;

const bytes = (vector) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

// Whole numbers from a small generator, so that distances are equal to the last bit.
function vectors(n, seed) {
  let state = seed;
  const next = () => (state = (state * 48271) % 2147483647) % 41;
  return Array.from({ length: n }, () => Float32Array.from({ length: DIM }, () => next() - 20));
}

function distance(a, b) {
  return Math.fround(Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0)));
}

export function testDriver(name, DatabaseSync) {
  test(`${name}: import and require give the same two functions`, () => {
    assert.deepEqual(Object.keys(required).sort(), ["getLoadablePath", "load"]);
    assert.equal(imported.load, required.load);
    assert.equal(imported.getLoadablePath, required.getLoadablePath);
    assert.match(required.getLoadablePath(), /sqlite_ann\.\w+$/);
  });

  function open() {
    const db = new DatabaseSync(":memory:", { allowExtension: true });
    required.load(db);
    db.exec(`CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[${DIM}], metric = l2, leaf_capacity = 32)`);
    return db;
  }

  function fill(db, rows, id = (i) => i) {
    const insert = db.prepare("INSERT INTO song_ann(rowid, embedding) VALUES (?, ?)");
    db.exec("BEGIN");
    rows.forEach((row, i) => insert.run(id(i), bytes(row)));
    db.exec("COMMIT");
  }

  test(`${name}: the nearest rows are those of a search by hand`, () => {
    const db = open();
    const rows = vectors(1500, 7);
    fill(db, rows);
    db.exec("INSERT INTO song_ann(song_ann) VALUES ('optimize')");
    const { value } = db.prepare("SELECT value FROM ann_info('song_ann') WHERE key = 'leaf_pages'").get();
    assert.ok(value > 50, "there is a forest");
    const near = db.prepare("SELECT id, distance FROM ann_search('song_ann', ?, 10, 1.0) ORDER BY rank");
    for (const query of vectors(5, 11)) {
      const wanted = rows.map((row, id) => ({ id, distance: distance(row, query) }));
      wanted.sort((a, b) => a.distance - b.distance || a.id - b.id);
      const found = near.all(bytes(query)).map((row) => ({ id: row.id, distance: Math.fround(row.distance) }));
      assert.deepEqual(found, wanted.slice(0, 10));
    }
    db.close();
  });

  test(`${name}: ids are numbers or BigInt, up to 2^63 - 1`, () => {
    const db = open();
    const largest = 2n ** 63n - 1n;
    fill(db, vectors(3, 5), (i) => [1, 2n ** 53n + 1n, largest][i]);
    const ids = db.prepare("SELECT id FROM ann_search('song_ann', ?, 3) ORDER BY id");
    ids.setReadBigInts(true);
    const [query] = vectors(1, 5);
    assert.deepEqual(ids.all(bytes(query)).map((row) => row.id), [1n, 2n ** 53n + 1n, largest]);
    const item = db.prepare("SELECT id FROM ann_search_item('song_ann', ?, 1)");
    item.setReadBigInts(true);
    assert.equal(item.get(largest).id, largest);
    const one = db.prepare("SELECT id FROM ann_search('song_ann', ?, 1)").get(bytes(query));
    assert.equal(one.id, 1);
    db.close();
  });

  test(`${name}: a part of a longer Float32Array is that part`, () => {
    const db = open();
    const all = new Float32Array(100 * DIM).map((_, i) => i);
    fill(db, [all.subarray(3, 3 + DIM), all.subarray(50, 50 + DIM)]);
    const { embedding } = db.prepare("SELECT embedding FROM song_ann WHERE rowid = 1").get();
    assert.equal(embedding.length, 4 * DIM);
    assert.deepEqual(Array.from(new Float32Array(embedding.slice().buffer)), Array.from(all.subarray(50, 50 + DIM)));
    const near = db.prepare("SELECT id, distance FROM ann_search('song_ann', ?, 1)");
    assert.deepEqual({ ...near.get(bytes(all.subarray(4, 4 + DIM))) }, { id: 0, distance: 4 });
    db.close();
  });

  test(`${name}: a vector of another length is refused by a sentence`, () => {
    const db = open();
    const insert = db.prepare("INSERT INTO song_ann(rowid, embedding) VALUES (?, ?)");
    assert.throws(() => insert.run(1, bytes(new Float32Array(3))), /expected a blob of 64 bytes .* got 12/);
    db.close();
  });

  test(`${name}: loading is left switched off`, () => {
    const db = open();
    db.enableLoadExtension(false);
    required.load(db);
    assert.throws(() => db.loadExtension(required.getLoadablePath()), /not (enabled|allowed)/);
    db.close();
  });

  test(`${name}: loading that was switched on stays on`, () => {
    const db = new DatabaseSync(":memory:", { allowExtension: true });
    db.enableLoadExtension(true);
    required.load(db);
    db.loadExtension(required.getLoadablePath());
    db.close();
  });

  test(`${name}: a connection that forbids loading says so`, () => {
    const db = new DatabaseSync(":memory:");
    assert.throws(() => required.load(db), /Cannot enable extension loading/);
    db.close();
  });
}
