/** What the placeholders of a configuration file stand for. */
export interface TemplateValues {
  /** Of the backends: a line with `{{backend}}` is there once for each. */
  readonly backends: readonly number[];
  /** Any other placeholder, by name. */
  readonly values: Readonly<Record<string, string | number>>;
}

const PLACEHOLDER = /\{\{(\w+)\}\}/g;

/** A configuration file from its template. Throws at a placeholder that nothing is known for. */
export function fillTemplate(template: string, { backends, values }: TemplateValues): string {
  return template
    .split('\n')
    .flatMap((line) =>
      line.includes('{{backend}}')
        ? backends.map((port) => line.replaceAll('{{backend}}', String(port)))
        : [line],
    )
    .join('\n')
    .replaceAll(PLACEHOLDER, (placeholder, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`nothing is known for ${placeholder}`);
      return String(value);
    });
}
