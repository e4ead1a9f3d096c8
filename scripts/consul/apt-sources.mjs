/**
 * The Debian mirrors a machine is set up for, read from its apt sources.
 *
 * @typedef {object} Mirror
 * @property {string} uri
 * @property {string} [signedBy] keyring paths, fingerprints, or an embedded key with its line breaks.
 */

/**
 * @param {string} text a sources file.
 * @param {'list' | 'sources'} format one-line (`.list`) or deb822 (`.sources`).
 * @returns {Mirror[]} its usable mirrors that carry `main`; security and flat archives left out.
 */
export function readMirrors(text, format) {
  const entries = format === 'list' ? readOneLine(text) : readStanzas(text);
  return entries
    .filter(({ types, suites, components }) => {
      const whole = suites.some((suite) => !suite.endsWith('/') && !suite.includes('security'));
      return types.includes('deb') && components.includes('main') && whole;
    })
    .flatMap(({ uris, signedBy }) =>
      uris
        .filter((uri) => !uri.startsWith('cdrom:'))
        .map((uri) => (signedBy === undefined ? { uri } : { uri, signedBy })),
    );
}

/** `deb [arch=amd64 signed-by=/a.gpg] http://mirror/debian bookworm main contrib` */
function readOneLine(text) {
  const entries = [];
  for (const line of text.split('\n')) {
    const match = /^\s*(deb)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (match === null) continue;
    const [, type, options = '', uri, suite, components] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]?.replaceAll(',', ' ');
    entries.push({
      types: [type],
      uris: [uri],
      suites: [suite],
      components: words(components),
      signedBy,
    });
  }
  return entries;
}

function readStanzas(text) {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .map(readFields)
    .filter((fields) => !/^(no|false|0|off)$/i.test(fields.get('enabled')?.trim() ?? 'yes'))
    .map((fields) => ({
      types: words(fields.get('types')),
      uris: words(fields.get('uris')),
      suites: words(fields.get('suites')),
      components: words(fields.get('components')),
      signedBy: fields.get('signed-by')?.trimEnd(),
    }));
}

/** Fields by lower-case name; continuation lines stay as they are, for an embedded key needs them. */
function readFields(stanza) {
  const fields = new Map();
  let name = '';
  for (const line of stanza.split('\n')) {
    const match = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line);
    if (match !== null) {
      name = match[1].toLowerCase();
      fields.set(name, match[2]);
    } else if (name !== '' && /^\s/.test(line)) {
      fields.set(name, `${fields.get(name)}\n${line}`);
    }
  }
  return fields;
}

function words(text = '') {
  return text.split(/\s+/).filter((word) => word !== '');
}
