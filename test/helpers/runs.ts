/** How many random inputs a property is tried with; RUNS says another number for all. */
export function runs(count: number): number {
  return Number(process.env['RUNS'] ?? count);
}
