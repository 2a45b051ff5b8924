/** What the window itself can do about a profile that does not open. */

export type Rescued = 'key' | 'ledger';

/** By the code of the reason: put the key back, begin an empty ledger, or nothing. */
export function rescueOf(code: string): Rescued | undefined {
  switch (code) {
    case 'vault.key_missing':
    case 'vault.key_damaged':
      return 'key';
    case 'store.no_backup':
      return 'ledger';
    default:
      return undefined;
  }
}
