/** The work of others that is in the product: `scripts/licences.ts` gathers it while the window is built. */
declare module 'virtual:licences' {
  export interface Package {
    name: string;
    /** Unset for what is no package of its own. */
    version?: string;
    /** The package that brings it, with its version. */
    within?: string;
    /** Whether it is from npm. */
    npm?: true;
    /** An SPDX expression. */
    licence: string;
    /** Places in the list of texts. */
    texts: number[];
  }

  export interface Licences {
    /** By name. */
    packages: Package[];
    texts: string[];
  }

  /** Answers the list. Rejects where the file can't be read. */
  export function read(): Promise<Licences>;
}
