/** Downloads a package and what it needs that the machine lacks, and unpacks them into a folder, whose path it returns. */
export function unpackPackage(workDir: string, name: string): Promise<string>;

/** Folders of shared libraries below `root`, for LD_LIBRARY_PATH. */
export function libraryFolders(root: string): Promise<string[]>;

/** This process's environment, with libraries found in `folders` before any others. */
export function withLibraries(folders: readonly string[]): NodeJS.ProcessEnv;
