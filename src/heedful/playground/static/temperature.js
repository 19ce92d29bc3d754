/**
 * What a temperature makes of probabilities.
 */

/**
 * Return the shares of the likeliest pieces at a temperature: `p^(1/T)`, of which all together have
 * what they have at 1. At 1 nothing changes.
 * @param {number[]} logs - Log-probabilities.
 * @param {number} temperature
 * @returns {number[]}
 */
export function warmed(logs, temperature) {
  const plain = logs.map(Math.exp);
  if (temperature === 1) return plain;
  const highest = Math.max(...logs);
  const raised = logs.map((value) => Math.exp((value - highest) / temperature));
  const [whole, sum] = [plain, raised].map((all) => all.reduce((one, other) => one + other, 0));
  return raised.map((value) => (whole * value) / sum);
}
