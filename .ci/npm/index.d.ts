/** A connection of `node:sqlite`, better-sqlite3, bun:sqlite or a driver like these. */
export interface Connection {
  loadExtension(path: string): unknown;
  enableLoadExtension?(allow: boolean): unknown;
}

/** The path of the extension for this machine. Throws an `Error` where its package is not installed. */
export function getLoadablePath(): string;

/** Loads the extension into a connection. Loading is switched on for that where the driver can, and then off again. */
export function load(db: Connection): void;
