/**
 * Node's flags for a process that is measured: those of this one, and no source maps. tsx turns them on, and with them the
 * first error whose stack is read, as streams do of each they are destroyed with, has Node parse the maps of all files in
 * that stack: some 30 ms for those of Fairlead, in which the event loop stands still.
 */
export function measuredFlags(flags: readonly string[] = process.execArgv): string[] {
  return [...flags, '--import', new URL('without-source-maps.mjs', import.meta.url).href];
}
