import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '../consul/free-port.js';

export interface UnheardEnd {
  /** 0: the process lived on. */
  readonly code: number;
  /** The last words of a process that did not. */
  readonly words: string;
}

/** What becomes of a process in which nobody listens for errors, when the agent is gone. */
export async function unheard(who: 'fairlead' | 'npm'): Promise<UnheardEnd> {
  const script = fileURLToPath(new URL('unheard-process.ts', import.meta.url));
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = ['--import', 'tsx', script, who, url];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 30_000 }, (error, _stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, words: /^\w*Error: .*$/m.exec(stderr)?.[0] ?? '' });
    });
  });
}

/** Both, as a sentence for the documentation. */
export async function unheardSentence(): Promise<string> {
  const [fairlead, npm] = await Promise.all([unheard('fairlead'), unheard('npm')]);
  const told = ({ code, words }: UnheardEnd): string =>
    code === 0
      ? 'the process lives on'
      : `the process ends with code ${code} (\`${words.replace(/:\d+$/, '')}\`)`;
  return `While the agent is gone and nobody listens for errors: with Fairlead ${told(fairlead)}, with \`watch()\` ${told(npm)}.`;
}
