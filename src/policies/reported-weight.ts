import type { LoadReport } from '../types.js';

/**
 * Requests served per unit of utilization: what the instance would serve at full load. Errors count as utilization,
 * times `penalty`. `undefined` when the report says nothing of that: nothing served, or nothing used.
 *
 * Source: gRFC A58.
 */
export function reportedWeight(report: LoadReport, penalty: number): number | undefined {
  const { qps, utilization, errorsPerSecond = 0 } = report;
  if (qps <= 0 || utilization <= 0) return undefined;
  const weight = qps / (utilization + (errorsPerSecond / qps) * penalty);
  return weight > 0 && Number.isFinite(weight) ? weight : undefined;
}
