// Loaded before all else by a process that is measured: see process-flags.ts.
process.setSourceMapsEnabled(false);
