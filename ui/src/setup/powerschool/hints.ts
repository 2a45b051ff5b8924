/** What is wrong with a value as it is typed, and how to put it right. The engine judges again when it is used. */

import { say } from '../../text/say';

export interface Hint {
  text: string;
  /** Nothing is wrong yet: the value may still be on its way. */
  soft: boolean;
  /** The value put right, where that is certain. */
  repaired?: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const UUID_LENGTH = 36;
/** Any of the quotation marks that programs put around a value. */
const QUOTES = /["'`\u2018-\u201f\u00ab\u00bb]/g;
/** White space, and the marks without width that come along when a web page is copied. */
const SPACES = /[\s\u00a0\u200b-\u200d\u2060\ufeff]/g;

/** A Client ID or Client Secret (both are UUIDs); `other` is the other of the two, as far as it is known. */
export function credentialHint(what: 'Client ID' | 'Client Secret', value: string, other: string): Hint | undefined {
  if (value.trim() === '') return undefined;
  const bare = value.replace(QUOTES, '').replace(SPACES, '');
  if (UUID.test(bare)) {
    if (bare.toLowerCase() === bareOf(other).toLowerCase()) {
      return { text: say('Client ID and Client Secret are the same value. PowerSchool shows two.'), soft: false };
    }
    if (bare === value) return undefined;
    const quoted = value.replace(QUOTES, '') !== value;
    return {
      text: quoted ? say('The quotation marks are not part of the value.') : say('There are spaces around or inside the value.'),
      soft: false,
      repaired: bare,
    };
  }
  if (/:\/\/|^[a-z0-9-]+(\.[a-z0-9-]+)+(\/|$)/i.test(bare)) {
    return { text: say(`This looks like the address, not the ${what}.`), soft: false };
  }
  if (isStartOfUuid(bare)) {
    return { text: say(`${bare.length} of ${UUID_LENGTH} characters. Check that all of it was copied.`), soft: true };
  }
  if (bare.length > UUID_LENGTH && UUID.test(bare.slice(0, UUID_LENGTH))) {
    return { text: say(`${bare.length} characters, ${bare.length - UUID_LENGTH} too many: something else was copied along.`), soft: false };
  }
  return { text: say(`A ${what} has the form 8-4-4-4-12, e.g. 3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10.`), soft: false };
}

/** The address of PowerSchool. */
export function addressHint(value: string): Hint | undefined {
  const typed = value.trim();
  if (typed === '') return undefined;
  const bare = typed.replace(QUOTES, '').trim();
  if (bare !== typed) return { text: say('The quotation marks are not part of the address.'), soft: false, repaired: bare };
  if (UUID.test(typed)) return { text: say('This looks like a Client ID or Client Secret, not the address.'), soft: false };
  if (/\s/.test(typed)) {
    return { text: say('There is a space in the address.'), soft: false, repaired: typed.replace(/\s+/g, '') };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(typed)?.[1]?.toLowerCase();
  if (scheme === 'http' && !isLoopback(typed)) {
    return {
      text: say('http is not encrypted: anybody on the way could read the credentials.'),
      soft: false,
      repaired: typed.replace(/^http/i, 'https'),
    };
  }
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    return { text: say('The address begins with https://.'), soft: false };
  }
  return undefined;
}

/** Whether address and a credential stand in each other's field. */
export function areSwapped(address: string, credential: string): boolean {
  return UUID.test(bareOf(address)) && /:\/\/|^[a-z0-9-]+(\.[a-z0-9-]+)+(\/|:|$)/i.test(bareOf(credential));
}

function bareOf(value: string): string {
  return value.replace(QUOTES, '').replace(SPACES, '');
}

/** Whether a value could become a UUID by typing on. */
function isStartOfUuid(value: string): boolean {
  return value.length < UUID_LENGTH && UUID.test(value + '00000000-0000-4000-8000-000000000000'.slice(value.length));
}

/** Whether the server is this computer: the practice district is, and its http never leaves it. */
function isLoopback(address: string): boolean {
  const host = /^[a-z]+:\/\/(\[[^\]]*\]|[^/:]*)/i.exec(address)?.[1]?.toLowerCase();
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host ?? '');
}
