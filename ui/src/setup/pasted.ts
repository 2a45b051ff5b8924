/** What a text someone pasted holds of the three things PowerSchool shows after a plugin is installed. */
export interface PastedCredentials {
  url?: string;
  clientId?: string;
  clientSecret?: string;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const ADDRESS = /\bhttps?:\/\/[^\s<>"'|,;]+/i;
/** A bare host name, believed only on a line that calls itself an address. */
const HOST_LINE = /\b(?:url|address|server|host)\b[^:\n=]*[:=\t ]+([a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?::\d+)?)/i;
const SECRET_LABEL = /secret/i;
const ID_LABEL = /\bid\b/i;

/**
 * Recognises Client ID, Client Secret and URL in a pasted text, labelled or not, in any order. The two credentials
 * look alike: a label decides which is which, else PowerSchool's order (the ID first).
 */
export function recognise(text: string): PastedCredentials {
  const found: PastedCredentials = {};
  const address = ADDRESS.exec(text)?.[0] ?? HOST_LINE.exec(text)?.[1];
  if (address !== undefined) found.url = address.replace(/[.)\]]+$/, '');

  const unlabelled: string[] = [];
  let end = 0;
  for (const match of text.matchAll(UUID)) {
    const label = text.slice(end, match.index);
    end = match.index + match[0].length;
    if (SECRET_LABEL.test(label) && found.clientSecret === undefined) {
      found.clientSecret = match[0];
    } else if (ID_LABEL.test(label) && found.clientId === undefined) {
      found.clientId = match[0];
    } else {
      unlabelled.push(match[0]);
    }
  }
  for (const value of unlabelled) {
    if (found.clientId === undefined) found.clientId = value;
    else found.clientSecret ??= value;
  }
  return found;
}

/** How many of the three were found. */
export function recognised(found: PastedCredentials): number {
  return [found.url, found.clientId, found.clientSecret].filter((value) => value !== undefined).length;
}

const ONE_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a value has the form PowerSchool gives a Client ID and a Client Secret. */
export function looksLikeCredential(value: string): boolean {
  return ONE_UUID.test(value.trim());
}
