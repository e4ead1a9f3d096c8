import type { ResolvedOutlierDetection } from '../health-options.js';
import type { OutlierWatch } from '../instance-state.js';

/** Finds the instances of a set that do worse than their peers. */
export class OutlierDetection {
  constructor(private readonly settings: ResolvedOutlierDetection) {}

  watch(): OutlierWatch {
    return { record: () => this.settings.successRatio > 1 };
  }
}
