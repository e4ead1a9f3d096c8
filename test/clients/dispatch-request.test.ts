import { expect, it } from 'vitest';
import { hashRequestOf } from '../../src/clients/dispatch/request.js';
it.each(['//', '//foo/bar', '//a:b/c', '/x?y=1'])(
  'hashes by the path as it is sent: %s',
  (path) => {
    expect(hashRequestOf({ path, method: 'GET' }, new URL('http://orders')).url.href).toBe(
      `http://orders${path}`,
    );
  },
);
