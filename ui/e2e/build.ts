// Before all tests: the interface is built with the sample data and the way to the browser host, and served for the
// tests on sample data. The browser host serves the same folder for those on the real engine.
import { buildSamples, serveSamples } from '../scripts/scenes.mjs';

/** Below `ui/`. */
export const PAGE = 'node_modules/.e2e-page';

/** With `E2E_BUILT` what was built last is looked at again. */
export default async function build(): Promise<() => Promise<void>> {
  if (process.env.E2E_BUILT === undefined) await buildSamples(PAGE);
  const { address, close } = await serveSamples(0, PAGE);
  process.env.E2E_SAMPLES = address;
  return close;
}
