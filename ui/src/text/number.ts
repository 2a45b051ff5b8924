/** Whether it is a whole number in digits, from `least` to `most`. */
export function isWhole(typed: string, least: number, most: number): boolean {
  return /^\s*\d+\s*$/.test(typed) && Number(typed) >= least && Number(typed) <= most;
}
