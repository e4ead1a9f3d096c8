/** A MariaDB server as it is found on this machine. */
export interface MariadbProgram {
  /** Path of `mariadbd`. */
  readonly binary: string;
  /** Such as `10.11.18`. */
  readonly version: string;
  /** What it is to be started with: this process's own environment, and where its libraries are. */
  readonly env: NodeJS.ProcessEnv;
  /** Folder of its messages, character sets and SQL. */
  readonly share: string;
  /** Files of SQL that make the system tables of a new data folder, in their order. */
  readonly systemTables: readonly string[];
}

/** Finds a MariaDB server that runs here; with `fetch` downloads one when there is none. */
export function findMariadb(options?: { readonly fetch?: boolean }): Promise<MariadbProgram>;
