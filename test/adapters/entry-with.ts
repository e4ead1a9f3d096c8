import { entry, type EntryFields } from './fake-consul.js';

type Part = Readonly<Record<string, unknown>>;

/** An entry with more, or other, fields of its service and node, as Consul names them. */
export function entryWith(
  parts: { service?: Part; node?: Part },
  fields: EntryFields = {},
): unknown {
  const made = entry(fields) as { Service: Part; Node: Part };
  return {
    ...made,
    Service: { ...made.Service, ...parts.service },
    Node: { ...made.Node, ...parts.node },
  };
}
