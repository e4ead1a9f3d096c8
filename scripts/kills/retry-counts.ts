import type { Client } from 'fairlead';

/** What a client's events tell. */
export class RetryCounts {
  retries = 0;
  /** Retries that the budget did not allow. */
  refused = 0;
  opened = 0;
  panics = 0;

  constructor(client: Client) {
    client.on('attempt.ended', ({ kind }) => {
      if (kind === 'retry') this.retries++;
    });
    client.on('retry.refused', () => this.refused++);
    client.on('breaker.opened', () => this.opened++);
    client.on('panic.started', () => this.panics++);
  }
}
